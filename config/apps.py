from django.contrib.admin.apps import AdminConfig


class QuittanceAdminConfig(AdminConfig):
    default_site = "config.admin.OperatorSite"
