// Package openrtb reads and enriches OpenRTB 2.6 bid requests as bytes: it
// checks that the body is JSON and finds the few fields that decide, and what is
// added is written between the bytes that came, none of which changes. Where the
// processor has AVX2, a body without white space between its tokens is checked
// 64 bytes at a time; any other, byte by byte, with the same outcome.
//
// # What is refused
//
// Only what is not JSON, not an object, over [MaxBytes] long or nested deeper
// than [MaxDepth], with a [*SyntaxError] that says where. Exchanges send numbers
// as strings, unknown fields, keys twice, and any type as ext: all of that
// passes. Bytes that are not UTF-8 pass too, as encoding/json has it.
//
// # What is read
//
// Ids ([Request.IDs]): device.ifa with device.ext.ifa_type, user.id,
// user.buyeruid, user.eids[] and user.ext.eids[] with source, mm and
// uids[].id. A number is as good as a string; anything else and the empty
// string are no id. Where eid, device or ext say something twice, the
// last one counts; of ids said twice, each is read. Keys are matched exactly,
// after unescaping. At most [MaxIDs] are read, and up to 16
// more that are no eids.
//
// Signals ([Request.Signals]): regs.coppa, gdpr, us_privacy, gpp, gpp_sid, gpc,
// and the same in regs.ext; user.consent and user.ext.consent; device.lmt and
// device.ext.lmt. Each place that says something is handed out, in the order
// of the body, so that whoever decides sees a conflict; null says nothing.
// What cannot be read must not be taken for silence, so a value is [SignalValue.Bad]
//   - where it has a type that the signal cannot have;
//   - where the key of a signal, or of an object that holds signals, is
//     written in another case, such as "GDPR" or "Regs": the specification has
//     it unknown, but parsers that ignore case see a signal;
//   - where regs, device, user or an ext of them, and so each signal that could
//     stand there, is neither an object, nor null, nor the empty array that some languages write
//     for an empty object;
//   - of every signal, once where there are more than 32 values.
//
// # What is added
//
// Entries of user.data, and eids to user.eids, at the end of what is there.
// A missing user, data or eids is created; null is replaced. Where one of them
// has another type, nothing can be put there, and it stays as it is. Where a
// key is there twice, the last one is meant, which is the one that parsers
// take.
//
// Nothing is added that is there: a segment whose id stands in any data entry
// of the same name and segtax, an eid whose source and id stand in user.eids or
// user.ext.eids. So enriching twice gives the same bytes as enriching once.
// Numbers are compared as they are written, strings by what they stand for.
//
// With the additions taken out, and null put where one was replaced, the
// output is the input, byte for byte.
package openrtb
