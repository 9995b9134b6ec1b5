// Package config reads onboard.yaml, which says what a build onboards: the
// pool's tenants, their profile files, the link files between them, and the
// rules that apply.
//
// The reading is strict. An unknown or repeated key, a value out of range, a
// namespace that is reserved, a path that matches no file: each is an error
// that names the line and says what to do. All that is wrong with the YAML is
// reported at once. YAML aliases and merge keys are refused.
//
// # Defaults
//
// What is left out gets the answer that gives least away: a tenant's legal
// basis is consent, a link that says no method is inferred, persons without a
// profile are not written.
//
// # Order
//
// The order of lists in the file has no influence. [Parse] sorts namespaces and
// tenants by name, so that a tenant's place in Config.Tenants is its number in
// the snapshot; namespaces, sources and files are numbered in orders that do not
// depend on the file either, and [Config.Canonical] is the same text for two
// files that mean the same.
//
// A Config is not changed after it is made, except by a caller that sets AsOf,
// and may then be read from any number of goroutines.
package config
