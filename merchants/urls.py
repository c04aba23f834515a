from django.urls import path

from merchants.views import entrance, profile

urlpatterns = [
    path("", entrance.home, name="home"),
    path("welcome/", entrance.welcome, name="welcome"),
]

# Under /m/<merchant>/
merchant_patterns = [
    path("settings/", profile.settings, name="settings"),
    path("settings/logo.png", profile.logo, name="merchant_logo"),
]
