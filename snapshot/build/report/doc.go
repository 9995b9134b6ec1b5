// Package report says what an onboarding gained: how many of a tenant's
// customers have a digital id, through what, and what each source adds.
//
// A [Collector] counts persons as the builder writes them, one collector a
// goroutine; [Collector.Merge] adds them up; [Collector.Data] is the result,
// which [Data.WriteJSON], [Data.WriteText] and [Data.WriteHTML] render. All
// three render the same disclosed report: counts that tell of fewer than
// [Threshold] people are withheld before any form is made, and the forms never
// see them. disclosure.go has the rule and its limits.
//
// # What is counted
//
// Everything by tenant is counted in people, not in records: a person with two
// customer records of a tenant is one customer. Who is a customer of a tenant
// is not counted among its prospects. A digital id is a cookie or device id,
// [index.Namespace.Tracer]. Someone is reached when links lead from one of
// their records to a digital id; by own data, when links of first-party
// sources alone do. A link between a record and its own contact data, from a
// first-party source, is the record itself, and no gain of its source.
package report
