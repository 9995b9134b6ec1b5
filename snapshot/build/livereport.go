package build

// LiveReport counts what live changes did to what the files say.
type LiveReport struct {
	// Log is the id of the log, and Seq up to where it was read.
	Log string `json:"log"`
	Seq uint64 `json:"seq"`
	// FormerTenants are opt-outs and erasures for tenants of which the config says
	// that they left: they do nothing.
	FormerTenants int64 `json:"of_former_tenants"`

	// Links that were added.
	Links int64 `json:"links"`
	// LinksLeftOut are those that no file may have, or whose ends are erased or
	// opted out.
	LinksLeftOut int64 `json:"links_left_out"`
	// UnlinkedRows are links of rows that were taken back later.
	UnlinkedRows int64 `json:"unlinked_rows"`
	// ErasedRows and OptedOutRows are rows of customers who are erased, and who
	// are opted out for all tenants; DroppedLinkRows those of links to either.
	ErasedRows      int64 `json:"erased_rows"`
	OptedOutRows    int64 `json:"opted_out_rows"`
	DroppedLinkRows int64 `json:"dropped_link_rows"`
	// CutContacts are links of email, phone and postal identifiers to customers
	// of tenants that must not use them, and DroppedContacts those of these
	// identifiers that nobody else has.
	CutContacts     int64 `json:"cut_contacts"`
	DroppedContacts int64 `json:"dropped_contacts"`
	// Segments that profiles gained or lost, and profiles whose consent is
	// another.
	Segments int64 `json:"changed_segments"`
	Consents int64 `json:"changed_consents"`
}

func (r *LiveReport) add(o *LiveReport) {
	r.Links += o.Links
	r.LinksLeftOut += o.LinksLeftOut
	r.UnlinkedRows += o.UnlinkedRows
	r.ErasedRows += o.ErasedRows
	r.OptedOutRows += o.OptedOutRows
	r.DroppedLinkRows += o.DroppedLinkRows
	r.CutContacts += o.CutContacts
	r.DroppedContacts += o.DroppedContacts
	r.Segments += o.Segments
	r.Consents += o.Consents
}
