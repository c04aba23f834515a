from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Who is told: events become deliveries, deliveries become mail and webhooks."""

    name = "notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.conf import settings

        from invoicing import attention
        from merchants.signals import event_recorded
        from notifications.attention import held_back, mail_server, mails, webhooks
        from notifications.tasks import hurry

        event_recorded.connect(hurry, dispatch_uid="notifications.hurry")
        attention.register(held_back)
        attention.register(mails)
        attention.register(mail_server)
        attention.register(webhooks)
        if settings.MAIL_EVENTS:
            from anymail.signals import tracking

            from notifications.mail import bounces

            tracking.connect(bounces.told, dispatch_uid="notifications.mail.bounces")
