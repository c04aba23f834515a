"""How long a try took."""

from django import template
from django.utils.translation import gettext as _

register = template.Library()


@register.filter
def took(milliseconds: int) -> str:
    """'212 ms', '15.0 s'."""
    if milliseconds < 1000:
        return _("%(count)d ms") % {"count": milliseconds}
    return _("%(count).1f s") % {"count": milliseconds / 1000}
