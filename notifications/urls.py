from django.urls import path

from notifications.views import developers, mailbox, payer_mail, schedule_mail

urlpatterns = [
    path("dev/mailbox/", mailbox.mailbox, name="mailbox"),
    path("dev/mailbox/<slug:name>/", mailbox.mail, name="mail"),
    path("dev/mailbox/<slug:name>/html/", mailbox.mail_html, name="mail_html"),
]

# Under /m/<merchant>/
merchant_patterns = [
    path("invoices/<int:pk>/resend/", payer_mail.resend, name="invoice_resend"),
    path("invoices/<int:pk>/preview/mail/", payer_mail.preview, name="invoice_preview_mail"),
    path("recurring/<int:pk>/preview/mail/", schedule_mail.preview, name="schedule_preview_mail"),
    path("developers/", developers.developers, name="developers"),
    path("developers/endpoint/", developers.endpoint, name="developers_endpoint"),
    path("developers/secret/", developers.secret, name="developers_secret"),
    path("developers/deliveries/<int:pk>/", developers.delivery, name="delivery"),
    path("developers/deliveries/<int:pk>/again/", developers.again, name="delivery_again"),
]
