"""Users, merchants, memberships, events."""

from __future__ import annotations

import hashlib
import re
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A person who signs in with an email address."""

    username = None  # type: ignore[assignment]
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    email = models.EmailField(_("email"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    @property
    def display_name(self) -> str:
        return self.name or self.email.partition("@")[0]

    def get_full_name(self) -> str:
        return self.display_name

    def __str__(self) -> str:
        return self.email


class Role(models.TextChoices):
    VIEWER = "viewer", _("Viewer")
    MANAGER = "manager", _("Manager")
    OWNER = "owner", _("Owner")


class Paper(models.TextChoices):
    A4 = "A4", "A4"
    LETTER = "Letter", "Letter"


class LatePolicy(models.TextChoices):
    """What a payment counts for that arrives after its rate lock and the network's grace."""

    RATE = "rate", _("the locked rate if it moved less than 2 %, else the rate of that time")
    HOLD = "hold", _("hold it for a decision")


class Logo(models.Model):
    """A PNG that we made ourselves from an upload, at most 512 px: by its content, never changed, so that an issued
    invoice can keep the one it was issued with. A row of its own: lists and locks do not drag pictures along."""

    sha256 = models.CharField(max_length=64, unique=True)
    png = models.BinaryField()

    def __str__(self) -> str:
        return self.sha256[:12]

    @classmethod
    def keep(cls, png: bytes) -> Logo:
        return cls.objects.get_or_create(sha256=hashlib.sha256(png).hexdigest(), defaults={"png": png})[0]


def quiet_notices() -> list[str]:
    """The notices that a new merchant does not get until it asks for them: 'payment seen' would come twice for each payment."""
    return ["seen"]


class Merchant(models.Model):
    """A business. Its money rules and looks are defaults for new invoices; an issued one has its own copy."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(_("business name"), max_length=120)
    email = models.EmailField(_("business email"))
    address = models.TextField(_("postal address"), blank=True, max_length=500)
    tax_id = models.CharField(_("tax number"), max_length=60, blank=True)
    is_test = models.BooleanField(_("test"), default=False, help_text=_("Test for ever: sandbox network only."))
    time_zone = models.CharField(_("time zone"), max_length=60, default="UTC")
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    language = models.CharField(_("language"), max_length=10, default="en")
    paper = models.CharField(_("paper"), max_length=6, choices=Paper, default=Paper.A4)
    brand_color = models.CharField(_("colour"), max_length=7, default="#1F4FD1", validators=[RegexValidator(re.compile(r"^#[0-9A-Fa-f]{6}\Z"))])
    logo = models.ForeignKey("merchants.Logo", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    footer = models.CharField(_("footer"), max_length=300, blank=True)
    due_after_days = models.PositiveSmallIntegerField(_("days until due"), default=14)
    tolerance_e4 = models.PositiveIntegerField(_("tolerance"), default=0, help_text=_("In 0.0001 %: 5000 is 0.5 %."))
    late_policy = models.CharField(_("late payments"), max_length=8, choices=LatePolicy, default=LatePolicy.RATE)
    stable_at_par = models.BooleanField(_("stablecoins"), default=False, help_text=_("A stablecoin counts as one of its currency."))
    spread_e4 = models.PositiveIntegerField(_("spread"), default=0, help_text=_("In 0.0001 %: 10000 is 1 %. Added to what the payer is asked for."))
    accepted_assets = models.JSONField(default=list, blank=True)  # CAIP-19 ids, in the order shown to payers
    number_prefix = models.CharField(max_length=12, default="INV-", blank=True)
    next_number = models.PositiveBigIntegerField(default=1)
    credit_note_prefix = models.CharField(max_length=12, default="CN-", blank=True)
    next_credit_note = models.PositiveBigIntegerField(default=1)
    # Above this a refund needs a second person; None: never. In the minor unit of refund_limit_currency.
    refund_limit_minor = models.BigIntegerField(null=True, blank=True)
    refund_limit_currency = models.CharField(max_length=3, blank=True)
    event_sequence = models.PositiveBigIntegerField(default=0)  # the last number given at fan-out
    daily_mail_limit = models.PositiveIntegerField(default=200)
    attach_pdf = models.BooleanField(_("PDF in the mail"), default=False)  # else a link to it
    copies_to = models.EmailField(_("copies of payers' mails"), blank=True)  # a blind copy of each goes there
    notices_off = models.JSONField(default=quiet_notices, blank=True)  # kinds of notice that the merchant does not want
    created_at = models.DateTimeField(auto_now_add=True)
    members = models.ManyToManyField(User, through="Membership", related_name="merchants")

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(next_number__gte=1), name="merchant_number_from_one")]

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        return "".join(word[0] for word in re.findall(r"\w+", self.name)[:2]).upper() or "Q"


class Membership(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "merchant"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} · {self.merchant} · {self.role}"


class Invitation(models.Model):
    """A seat offered to an address. The link in its mail is made as the mail leaves and opens for `nonce` alone, so a
    renewed invitation ends the link before it."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=8, choices=Role)
    nonce = models.CharField(max_length=43)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["merchant", "email"], name="invitation_open_once", condition=models.Q(accepted_at=None, withdrawn_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} · {self.merchant} · {self.role}"


class NumberSegment(models.Model):
    """From when on invoices were numbered with this prefix, starting at `first`: what an auditor asks for."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="number_segments")
    prefix = models.CharField(max_length=12, blank=True)
    first = models.PositiveBigIntegerField()
    before = models.CharField(max_length=40, blank=True)  # the last number of the segment before this one, if any was taken
    started_at = models.DateTimeField()
    started_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(first__gte=1), name="segment_from_one")]

    def __str__(self) -> str:
        return f"{self.prefix}{self.first:06d}"


class Event(models.Model):
    """A thing that happened: the timeline, the audit trail and the source of every message. Never changed
    but for its fan-out marks."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=30)
    subject_id = models.BigIntegerField()
    actor = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=120, blank=True)
    facts = models.JSONField(default=dict)
    at = models.DateTimeField()
    sequence = models.PositiveBigIntegerField(null=True, blank=True)  # per merchant, given at fan-out
    fanned_out_at = models.DateTimeField(null=True, blank=True)
    fan_out_tries = models.PositiveSmallIntegerField(default=0)  # that failed: such an event goes behind the others

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["merchant", "sequence"], name="event_sequence_once")]
        indexes: ClassVar = [
            models.Index(fields=["merchant", "fan_out_tries", "id"], name="event_turns", condition=models.Q(fanned_out_at=None)),
            models.Index(fields=["subject_kind", "subject_id", "id"], name="event_of_subject"),
            models.Index(fields=["merchant", "-id"], name="event_of_merchant"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_kind}:{self.subject_id}"
