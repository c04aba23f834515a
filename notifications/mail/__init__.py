"""Mail: what is written, to whom, through which server, and what comes back."""
