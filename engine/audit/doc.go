// Package audit keeps a log of who changed or saw what: keys, listings of
// identifiers, administration. Each line is chained to the one before it by a
// hash, so that none can be changed, moved or taken out of the middle unseen.
//
// # Format
//
// A log is lines of JSON, each with these members, in this order, without white
// space outside of strings:
//
//	{"seq":1,"at":"2026-11-21T10:00:00.5Z","actor":"cli","action":"client.add",
//	 "subject":"acme-ads","detail":{"tenant":"acme"},"prev":"<64 hex>","hash":"<64 hex>"}
//
// in one line that ends in a line feed and is at most [MaxLine] bytes long.
//
//   - seq counts from 1.
//   - at is UTC, RFC 3339 with up to nine digits of the second. It is the clock
//     of the process that wrote the line, so it may step back; seq cannot.
//   - actor did it, action is what (words of a-z, 0-9 and _, joined by dots),
//     subject is to what or whom, and may be empty.
//   - detail maps strings to strings, with its keys sorted; {} is none.
//   - torn, between detail and prev, stands only in an entry that cut off a torn
//     end, see below, and is how many bytes that had.
//   - hash is the SHA-256, in lower-case hexadecimal, of the line's bytes before
//     its last member, that is without the 75 bytes ,"hash":"<64 hex>"} at its
//     end, and without the line feed.
//   - prev is the hash of the line before. The first line has [Genesis], the
//     SHA-256 of the text "matchd audit log 1".
//
// Anybody can check that with a shell:
//
//	prev=$(printf 'matchd audit log 1' | sha256sum | cut -d' ' -f1)
//	while IFS= read -r line; do
//	  hash=$(printf '%s' "${line%,\"hash\":*}" | sha256sum | cut -d' ' -f1)
//	  [ "$hash" = "$(printf '%s' "$line" | jq -r .hash)" ] &&
//	  [ "$prev" = "$(printf '%s' "$line" | jq -r .prev)" ] || echo "damaged: $line"
//	  prev=$hash
//	done < audit.ndjson
//
// The chain shows every change but two: lines that are missing at the end, and
// a log that was written anew from some line on. Who keeps the hash of a last
// line somewhere else (it is the head, in the answer of [Verify]) can ask later
// whether the log still has it, and so notice both.
//
// # Appending
//
// Each append opens the file by its name, locks it, checks the last line, and
// writes one line, in one write, durable before it returns. So any number of
// processes append to one log. An append that fails cuts off what it wrote; if
// even that fails, the entry may be there or not.
//
// A crash in the middle leaves a torn end: bytes after the last line feed, which
// begin as an entry does and are not a whole one with something after it, or
// are all zero. They were acknowledged to nobody. The next append cuts them
// off and says so in torn. Any other damage at the end is an error, and nothing
// is appended until somebody has moved the log away.
//
// A log that was moved away goes on: the next append makes a new file, with a
// chain of its own from [Genesis]. A process that has seen the old one begins it
// with an entry log.continued, which names the old one's last number and head;
// of one that has not, note the head of the old log yourself. A log that has
// fewer entries than the process has seen takes no more.
//
// # No raw ids
//
// The log holds no identifiers of people. A customer is written as
// [Pseudonym]. An entry of which one text is an identifier of a built-in
// namespace is refused.
package audit
