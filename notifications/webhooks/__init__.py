"""Webhooks: who listens, what they are posted, and what they missed."""
