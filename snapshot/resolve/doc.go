// Package resolve decides which identifiers are one person, and keeps of their
// links what an answer needs. It works on numbers: nodes are counted from 0,
// and whoever calls gives them meaning.
//
// [Resolver.Resolve] cuts a connected set of identifiers into persons, by the
// rules below. [Backbone] and [Root] lay the links of one person out for the
// file. Nothing here knows of files or of the builder, so that live changes can
// be decided by the same rules.
//
// # Words
//
// A customer, and a contact (email, phone or postal address), is an anchor: it
// stands for somebody. A device stands for whoever it is linked to. A
// customer's record is its contacts, linked to it as authenticated. A set is
// identifiers that are one so far: somebody's with an anchor in it, nobody's
// without. Two sets differ where both have a contact of one kind. A shared
// identifier serves nobody: its links are cut, but for those within its set. An
// authenticated link between anchors is strong: somebody proved that they are
// his.
//
// # Rules
//
//  1. All links between the same two identifiers count as one, as strong as the
//     strongest: by method, then the day last seen, then the number of sources.
//     Numbers break ties.
//
//  2. A crowd is no person. A device with more than [Rules.MaxOnDevice] emails,
//     phones, postal addresses or customers of one tenant, and a contact with
//     more than [Rules.MaxOnContact] customers of one tenant, is shared; so is a
//     device linked to more than ten times [Rules.MaxIdentifiers] devices. And
//     nothing is believed of it: links by any method count, and all are cut
//     ([TooMany]).
//
//  3. Records decide between customers first, because they are what a tenant
//     itself knows. Of all pairs of customers with a contact in common, those
//     that agree in most kinds of contact come first, then those that differ in
//     fewest, then by number. The sets of the two become one where the records
//     in them agree in two kinds. Agreement in one kind is enough where the sets
//     have customers of one tenant only if the records differ in no kind and
//     one side's say no more than that kind: a couple with one inbox has two
//     phones. Between tenants they may differ in one kind, but not in email:
//     people give one shop this phone number and another that one, and a family
//     on one phone has an email each. Two records of one tenant that differ in a
//     kind and do not agree in two are told apart: no other records, of whatever
//     tenant, make their sets one.
//
//  4. A contact in the records of several people is shared ([SharedID]), or with
//     [SharedLatest] stays the one's whose link is strongest, if it is stronger
//     than that of all others. It says no more of those it is cut from: rule 3
//     begins again without it, until no more is found. Contacts then join their
//     customers, strongest first.
//
//  5. The other links follow in two tiers: what was seen to happen
//     (authenticated, observed, cookie_sync), then what a model inferred. Within
//     a tier links contradict each other, whatever their method: a device seen
//     with two people is shared, although one of them logged in. What the first
//     tier has joined, the second does not call in question. In each tier, links
//     between anchors are decided before those of devices: sets without
//     customers are given to those with some, the other links meet; then
//     nobody's sets are given to somebody's, and the rest meets.
//
//  6. Giving goes in rounds, from the anchors outwards, because a link says the
//     more the nearer its other end is to somebody. In a round each set that is
//     to be given is claimed by the links to it, as the round begins. A link from
//     a set that differs from it is cut ([Different]), unless it is strong:
//     people have a second email. A shared identifier's link claims for nobody,
//     and counts where somebody else claims too. Claims of one alone are granted;
//     of several, the set is shared whole ([SharedID]), or with [SharedLatest]
//     goes to the strongest claim if no other's is as strong. Sets are given from
//     the one with the strongest claim on.
//
//  7. Links meet strongest first. One of a shared identifier is cut
//     ([SharedID]). A strong one joins, unless the sets have customers of one
//     tenant and differ ([Different]); and even these where it links one customer
//     to another. Any other link joins two somebodies only if they differ in
//     nothing and have no customers of one tenant ([Different]), and if it is
//     between anchors and one of the two has no customers ([Weak]).
//
//  8. Sources that agree outweigh one. When all is decided, a set that rule 6
//     shared is granted to whom at least two sources link it, by any links but
//     those to a crowd, if nobody else has two, and nobody else a stronger method
//     than the strongest of theirs; and everything is resolved once more, where a
//     set whose first identifier was granted goes to the person of the first
//     anchor of those it was granted to, if they claim it. One wrong row does not
//     take a device from somebody whom a login, a cookie sync and a device graph
//     agree on, and two that guess do not take it from a login.
//
//  9. No set grows beyond [Rules.MaxIdentifiers] ([TooLarge]): what is weaker
//     stays outside. Identifiers of a set that no kept link connects are not one
//     person.
//
// # What can be relied on
//
// The result is the same whatever the order in which links come, and however
// often a source says the same. Numbers matter where two links are as strong,
// where a record agrees as well with one as with another, and for whose anchor
// is the first in rule 8; nowhere else.
//
// Where there is no record and no strong link, no two customers are one. Where
// there are, a customer that a weaker link gave a contact to becomes one with
// another whose strong links reach it.
//
// What is inferred takes no link away that is kept without it, except by making
// a crowd (rule 2) or as one of two sources (rule 8). Within the first tier,
// any link can call a stronger one in question.
package resolve
