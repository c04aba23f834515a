from django.urls import path

from merchants.views import entrance, invitation, settings, team

urlpatterns = [
    path("", entrance.home, name="home"),
    path("welcome/", entrance.welcome, name="welcome"),
    path("invitation/<str:token>/", invitation.invitation, name="invitation"),
    path("invitation/<str:token>/accept/", invitation.accept, name="invitation_accept"),
]

# Under /m/<merchant>/
merchant_patterns = [
    path("settings/", settings.business, name="settings"),
    path("settings/look/", settings.look, name="settings_look"),
    path("settings/invoices/", settings.invoices, name="settings_invoices"),
    path("settings/invoices/late/", settings.late_policy, name="settings_late_policy"),
    path("settings/tokens/", settings.tokens, name="settings_tokens"),
    path("settings/tokens/prices/", settings.prices, name="settings_prices"),
    path("settings/refunds/", settings.refunds, name="settings_refunds"),
    path("settings/refunds/limit/", settings.refund_limit, name="settings_refund_limit"),
    path("settings/team/", team.team, name="settings_team"),
    path("settings/team/invite/", team.invite, name="team_invite"),
    path("settings/team/invitations/<int:pk>/again/", team.invite_again, name="invitation_again"),
    path("settings/team/invitations/<int:pk>/withdraw/", team.withdraw, name="invitation_withdraw"),
    path("settings/team/members/<int:pk>/role/", team.role, name="member_role"),
    path("settings/team/members/<int:pk>/remove/", team.remove, name="member_remove"),
    path("settings/team/leave/", team.leave, name="team_leave"),
    path("settings/team/hand-over/", team.hand_over, name="team_hand_over"),
    path("settings/logo.png", settings.logo, name="merchant_logo"),
]
