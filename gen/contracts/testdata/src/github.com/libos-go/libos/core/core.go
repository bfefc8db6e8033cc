package core

type (
	Domain   struct{}
	Instance struct{}
	Options  struct{ Domain *Domain }
)

func NewDomain() *Domain               { return &Domain{} }
func New(o Options) (*Instance, error) { return &Instance{}, nil }
func (*Domain) Close() error           { return nil }
func (*Instance) Close() error         { return nil }
