"""What the mails of a refund say of each state: to the payer, and to the merchant.

A key is the kind of event, with a second word where one kind has several sentences (see `refunds._which`).
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _l

SEE = _l("See the refund")
TALK = _l("To talk about it, answer this email.")


@dataclass(frozen=True)
class Words:
    subject: str | Promise
    sentence: str | Promise
    then: str | Promise = ""  # what the reader has to do, or that there is nothing
    button: str | Promise = SEE


# To the payer.
TOLD: dict[str, Words] = {
    "refund.changed": Words(
        _l("Your refund for %(number)s is %(money)s now"),
        _l("%(business)s has changed your refund for invoice %(number)s. It is %(money)s now, paid as %(paid_as)s."),
        _l("It goes to the address below, as soon as it is approved. You need do nothing."),
    ),
    "refund.changed waiting": Words(
        _l("Your refund for %(number)s is %(money)s now"),
        _l("%(business)s has changed your refund for invoice %(number)s. It is %(money)s now, paid as %(paid_as)s."),
        _l("Say where it should go. The link of the mail before opens nothing any more."),
        _l("Give your address"),
    ),
    "refund.claimed": Words(
        _l("Your refund of %(money)s has its address: %(number)s"),
        _l("Your refund of %(money)s goes to the address below, as soon as %(business)s has approved it."),
        _l("Not your address? Until it is approved, you can start again on its page."),
    ),
    "refund.claimed member": Words(
        _l("Your refund of %(money)s has its address: %(number)s"),
        _l("%(business)s has entered the address below for your refund of %(money)s."),
        _l("Did you not give it? Start again on its page until it is approved, or answer this email now."),
    ),
    "refund.approved": Words(
        _l("Your refund of %(money)s is approved: %(number)s"),
        _l("%(business)s has approved your refund of %(money)s, and sends it to the address below."),
        _l("You need do nothing. If it is not your address, answer this email at once."),
    ),
    "refund.rejected": Words(
        _l("Your refund of %(money)s was not approved: %(number)s"),
        _l("%(business)s has not approved the refund of %(money)s for invoice %(number)s. Nothing is sent."),
        TALK,
    ),
    "refund.cancelled": Words(
        _l("Your refund of %(money)s is called off: %(number)s"),
        _l("%(business)s has called off the refund of %(money)s for invoice %(number)s. Nothing is sent."),
        TALK,
    ),
    "refund.sent": Words(
        _l("Your refund of %(money)s is on its way: %(number)s"),
        _l("%(business)s has sent your refund of %(money)s, as %(paid_as)s."),
        _l("You need do nothing. We mail you when the network has confirmed it."),
    ),
    "refund.sent alone": Words(
        _l("Your refund of %(money)s is on its way: %(number)s"),
        _l("%(business)s has sent your refund of %(money)s, as %(paid_as)s."),
        _l("You need do nothing. We mail you when the network has confirmed it."),
    ),
    "refund.unsent": Words(
        _l("Your refund of %(money)s is still to be sent: %(number)s"),
        _l("The transaction we named was not your refund of %(money)s. %(business)s has still to send it."),
        _l("You need do nothing. We mail you when it is sent."),
    ),
    "refund.confirmed": Words(
        _l("Refunded: %(money)s for %(number)s"),
        _l("Your refund of %(money)s has arrived, as %(paid_as)s."),
    ),
    "refund.reopened": Words(
        _l("Your refund of %(money)s is confirming again: %(number)s"),
        _l("The network has replaced the block that your refund of %(money)s was in."),
        _l("Often it comes back by itself in a later block. You need do nothing; we mail you when it is confirmed again."),
    ),
    "refund.failed": Words(
        _l("Your refund of %(money)s has not arrived: %(number)s"),
        _l("%(business)s sent your refund of %(money)s, and it never arrived."),
        _l("Answer this email to have it sent anew."),
    ),
    "refund.expired": Words(
        _l("The link for your refund of %(money)s has ended: %(number)s"),
        _l("No address was given for your refund of %(money)s in time, so its link has ended."),
        _l("Ask for a new link on its page."),
        _l("Ask for a new link"),
    ),
}

# To the merchant.
NEWS: dict[str, Words] = {
    "refund.requested": Words(
        _l("Refund of %(money)s to %(payer)s: an address is wanted"),
        _l("%(who)s has asked for a refund of %(money)s to %(payer)s, of invoice %(number)s."),
        _l("%(payer)s is mailed a link to say where it goes. You are told when there is an address."),
    ),
    "refund.changed": Words(
        _l("To approve: refund of %(money)s to %(payer)s"),
        _l("%(who)s has changed refund %(reference)s to %(payer)s. It is %(money)s now, paid as %(paid_as)s."),
        _l("It is to be approved, as it is now."),
        _l("Look at it"),
    ),
    "refund.changed waiting": Words(
        _l("Refund to %(payer)s changed: %(money)s now"),
        _l("%(who)s has changed refund %(reference)s to %(payer)s. It is %(money)s now, paid as %(paid_as)s."),
        _l("An address is still wanted."),
    ),
    "refund.claimed": Words(
        _l("To approve: refund of %(money)s to %(payer)s"),
        _l("%(payer)s has said where the refund of %(money)s for invoice %(number)s goes, and confirmed it by mail."),
        _l("Approve it, then pay it from your wallet."),
        _l("Look at it"),
    ),
    "refund.claimed member": Words(
        _l("To approve: refund of %(money)s to %(payer)s"),
        _l("%(who)s has entered the address for the refund of %(money)s to %(payer)s, of invoice %(number)s. %(payer)s is told."),
        _l("Approve it, then pay it from your wallet."),
        _l("Look at it"),
    ),
    "refund.restarted": Words(
        _l("Refund of %(money)s to %(payer)s: another address is wanted"),
        _l("%(who)s has asked %(payer)s for another address for the refund of %(money)s, of invoice %(number)s."),
        _l("Do not pay it to the one before. An approval does not hold any more."),
    ),
    "refund.restarted alone": Words(
        _l("Refund of %(money)s to %(payer)s: another address is wanted"),
        _l("%(payer)s wants to give another address for the refund of %(money)s, of invoice %(number)s."),
        _l("Do not pay it to the one before. An approval does not hold any more."),
    ),
    "refund.approved": Words(
        _l("To pay: refund of %(money)s to %(payer)s"),
        _l("%(who)s has approved the refund of %(money)s to %(payer)s, paid as %(paid_as)s."),
        _l("Pay it from your own wallet. Its page has the address and a QR code."),
        _l("Pay it"),
    ),
    "refund.rejected": Words(
        _l("Not approved: refund of %(money)s to %(payer)s"),
        _l("%(who)s has rejected the refund of %(money)s to %(payer)s, of invoice %(number)s."),
        _l("%(payer)s is told. The money can be refunded anew."),
    ),
    "refund.cancelled": Words(
        _l("Called off: refund of %(money)s to %(payer)s"),
        _l("%(who)s has called off the refund of %(money)s to %(payer)s, of invoice %(number)s."),
        _l("%(payer)s is told. The money can be refunded anew."),
    ),
    "refund.sent": Words(
        _l("Sent: refund of %(money)s to %(payer)s"),
        _l("%(who)s has sent the refund of %(money)s to %(payer)s, as %(paid_as)s."),
        _l("You are told when the network has confirmed it."),
    ),
    "refund.sent alone": Words(
        _l("Sent: refund of %(money)s to %(payer)s"),
        _l("A payment of the refund of %(money)s to %(payer)s was found on %(network)s: %(paid_as)s."),
        _l("You are told when the network has confirmed it."),
    ),
    "refund.unsent": Words(
        _l("To pay: refund of %(money)s to %(payer)s"),
        _l("%(who)s has said that the transaction that was named is not the refund of %(money)s to %(payer)s."),
        _l("It is still to be paid. Make sure that it was not paid before you do."),
        _l("Look at it"),
    ),
    "refund.confirmed": Words(
        _l("Refunded: %(money)s to %(payer)s (%(number)s)"),
        _l("The refund of %(money)s to %(payer)s is confirmed on %(network)s."),
    ),
    "refund.reopened": Words(
        _l("The network took back a refund to %(payer)s"),
        _l("The refund of %(money)s to %(payer)s was confirmed and is not any more: the network has replaced the block it was in."),
        _l("Often it comes back by itself in a later block; you are told when it does. Do not pay it again meanwhile."),
    ),
    "refund.failed": Words(
        _l("Given up: refund of %(money)s to %(payer)s"),
        _l("%(who)s has given up the payment of the refund of %(money)s to %(payer)s: it never arrived."),
        _l("%(payer)s is told. The money can be refunded anew."),
    ),
    "refund.expired": Words(
        _l("No address came: refund of %(money)s to %(payer)s"),
        _l("%(payer)s gave no address for the refund of %(money)s in time, and its link has ended."),
        _l("A new link can be sent from its page."),
        _l("Look at it"),
    ),
}
