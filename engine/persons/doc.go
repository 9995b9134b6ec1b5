// Package persons holds the persons that live links make, beside those of a
// snapshot, for lookups to read.
//
// # What live links do
//
// A live link in force joins what the snapshot says of its two identifiers, and
// one that was withdrawn takes it apart: all links between the two that are not
// later are gone. Persons that live links touch, over however many, are resolved
// anew together, by the rules of package resolve, from all that the snapshot
// holds of them and the live links: so a device that two people log in on serves
// neither, and people whom their own data tells apart stay two. A person who was
// there before keeps its id, by the same choice that a build makes: the person
// born first, of those whose strongest identifier is in it. One who is new gets
// the id that a build after this snapshot gives.
//
// The snapshot holds no links that a build cut, and nobody without a profile
// unless the build keeps those: what a build would say of the same links can
// differ where it knows of such.
//
// Who hangs together by more than [MaxSet] identifiers is a crowd, of which live
// links say nothing until the next build; what was withdrawn is gone all the same.
//
// # Safety
//
// A [Persons] never changes, and any number of goroutines may read it without a
// lock. One version has one successor at a time. It belongs to one snapshot, which
// has to be open while With runs; what is found lies in memory of its own.
package persons
