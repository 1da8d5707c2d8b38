package check

import (
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/spec"
)

// Pipeline is the stack as a flow: source → topic → files → events → pipe → table, each end linked to the next.
type Pipeline struct {
	Producers     []*Producer
	Consumers     []*Consumer
	Pipes         []*Pipe
	Subscriptions []*Subscription
	Integrations  []*Node
	Stages        []*Node
	// Loads are the pairs that are known to meet: the pipe reads where the consumer writes.
	Loads []Load
	Facts Facts

	missed  []Load // the path meets and the pattern does not
	in      Input
	scope   *spec.Scope
	kinds   map[string][]*Node // evaluated blocks by kind, when first asked for
	byID    map[string]map[string]*Node
	files   map[*Producer][]SourceFile
	addrs   map[spec.Addr]*Node
	senders map[string][]*Producer // by the topic's key
	maps    []Mapping              // nil: not looked for yet
}

// Producer is a producer with its ends.
type Producer struct {
	*Node
	Topic, Subject Ref
}

// Consumer is a consumer with its ends.
type Consumer struct {
	*Node
	Topic, Container Ref
	Dir              string // where its files stand: the prefix and the topic
	Placed           bool   // Dir is known
}

// Pipe is a pipe with what its copy block names. Container and Path are where it reads, through its stage.
type Pipe struct {
	*Node
	Table, Stage, Format, Integration Ref
	Container                         Ref
	Path                              string
	Placed                            bool // Path is known
}

// Subscription is an event subscription with its ends.
type Subscription struct {
	*Node
	Container, Queue Ref
}

// Load says that a pipe reads what a consumer writes.
type Load struct {
	Pipe     *Pipe
	Consumer *Consumer
}

func newPipeline(in Input) *Pipeline {
	p := &Pipeline{in: in, scope: in.Scope, Facts: in.Facts, kinds: map[string][]*Node{}, byID: map[string]map[string]*Node{}, files: map[*Producer][]SourceFile{}, addrs: map[spec.Addr]*Node{}, senders: map[string][]*Producer{}}
	if p.Facts.Outage == 0 {
		p.Facts.Outage = DefaultOutage
	}
	if p.scope == nil {
		p.evaluate()
	}
	for _, n := range p.nodes("producer") {
		producer := &Producer{Node: n, Topic: p.ref(n, "kafka_topic", "topic"), Subject: p.ref(n, "schema_subject", "subject")}
		p.Producers = append(p.Producers, producer)
		p.senders[producer.Topic.key()] = append(p.senders[producer.Topic.key()], producer)
	}
	for _, n := range p.nodes("consumer") {
		c := &Consumer{Node: n, Topic: p.ref(n, "kafka_topic", "topic"), Container: p.ref(n, "azure_container", "container")}
		prefix, known := n.text("prefix")
		c.Dir, c.Placed = prefix+c.Topic.ID+"/", known && c.Topic.ID != ""
		p.Consumers = append(p.Consumers, c)
	}
	for _, n := range p.nodes("azure_event_subscription") {
		p.Subscriptions = append(p.Subscriptions, &Subscription{Node: n, Container: p.ref(n, "azure_container", "container"), Queue: p.ref(n, "azure_queue", "queue")})
	}
	p.Integrations = p.nodes("snowflake_notification_integration")
	p.Stages = p.nodes("snowflake_stage")
	for _, n := range p.nodes("snowflake_pipe") {
		p.Pipes = append(p.Pipes, p.pipe(n))
	}
	writers := map[string][]*Consumer{}
	for _, c := range p.Consumers {
		writers[c.Container.key()] = append(writers[c.Container.key()], c)
	}
	for _, pipe := range p.Pipes {
		for _, c := range writers[pipe.Container.key()] {
			if !c.Placed || !pipe.Placed || same(pipe.Container, c.Container) != yes || !strings.HasPrefix(c.Dir, pipe.Path) {
				continue
			}
			if name, known := c.name(); known && !pipe.takes(name) {
				p.missed = append(p.missed, Load{pipe, c})
				continue
			}
			p.Loads = append(p.Loads, Load{pipe, c})
		}
	}
	return p
}

// evaluate sets every object without asking any system.
func (p *Pipeline) evaluate() {
	p.scope = p.in.Stack.NewScope()
	for _, b := range p.in.Stack.Order() {
		instances, _ := p.scope.Instances(b) // what is wrong with it, validate reports
		for _, inst := range instances {
			p.scope.Set(inst.Addr, inst.Value)
		}
	}
}

// nodes returns the evaluated blocks of a kind in source order.
func (p *Pipeline) nodes(kind string) []*Node {
	if list, known := p.kinds[kind]; known {
		return list
	}
	var list []*Node
	for _, b := range p.in.Stack.Blocks() {
		if b.Kind.Name != kind {
			continue
		}
		if !b.ForEach {
			if n := p.node(b.Addr); n != nil {
				list = append(list, n)
			}
			continue
		}
		instances, _ := p.scope.Instances(b) // evaluated before: what is wrong has been said
		for _, inst := range instances {
			list = append(list, p.known(inst))
		}
	}
	p.kinds[kind] = list
	return list
}

// node returns the evaluated block of an address, or nil.
func (p *Pipeline) node(addr spec.Addr) *Node {
	if n := p.addrs[addr]; n != nil {
		return n
	}
	inst := p.scope.Evaluated(addr)
	if inst == nil {
		if inst, _ = p.scope.Instance(addr); inst == nil {
			return nil
		}
	}
	return p.known(inst)
}

// known returns the one node of an instance.
func (p *Pipeline) known(inst *spec.Instance) *Node {
	n := p.addrs[inst.Addr]
	if n == nil {
		object, planned := p.scope.Object(inst.Addr)
		n = newNode(inst, object, planned && object != cty.NilVal)
		p.addrs[inst.Addr] = n
	}
	return n
}

// ref is what an attribute of n refers to.
func (p *Pipeline) ref(n *Node, kind string, names ...string) Ref {
	id, _ := n.text(names...)
	return p.refAt(n, kind, id, path(names...))
}

// refAt is what the attribute of n at a path refers to, whose value is id; "" where that is not known.
func (p *Pipeline) refAt(n *Node, kind, id string, at cty.Path) Ref {
	for _, o := range n.inst.Objects {
		if !o.Path.Equals(at) {
			continue
		}
		if target := p.node(o.Addr); target != nil {
			if id == "" {
				id = target.ID()
			}
			return Ref{Node: target, ID: id}
		}
	}
	return Ref{Node: p.find(kind, id), ID: id}
}

// find is the stack's object of that id, or nil.
func (p *Pipeline) find(kind, id string) *Node {
	if id == "" {
		return nil
	}
	index, known := p.byID[kind]
	if !known {
		index = map[string]*Node{}
		for _, n := range p.nodes(kind) {
			if own := n.ID(); own != "" {
				index[strings.TrimRight(own, "/")] = n
			}
		}
		p.byID[kind] = index
	}
	return index[strings.TrimRight(id, "/")]
}

func (p *Pipeline) pipe(n *Node) *Pipe {
	pipe := &Pipe{
		Node:        n,
		Table:       p.ref(n, "snowflake_table", "copy", "into"),
		Stage:       p.ref(n, "snowflake_stage", "copy", "from"),
		Format:      p.ref(n, "snowflake_file_format", "copy", "file_format"),
		Integration: p.ref(n, "snowflake_notification_integration", "integration"),
	}
	if stage := pipe.Stage.Node; stage != nil {
		pipe.Container = p.ref(stage, "azure_container", "container")
		base, known := stage.text("path")
		below, known2 := n.text("copy", "path")
		pipe.Path, pipe.Placed = base+below, known && known2
		if pipe.Format.none() && n.absent("copy", "file_format") {
			pipe.Format = p.ref(stage, "snowflake_file_format", "file_format")
		}
	}
	return pipe
}

// suffix is what the names of the consumer's files end with.
func (c *Consumer) suffix() (suffix string, known bool) {
	compression, known := c.text("compression")
	format, ok := c.text("format")
	if !ok {
		return "", false
	}
	if format != "json" { // compressed inside
		return "." + format, true
	}
	switch compression {
	case "gzip":
		return ".json.gz", known
	case "zstd":
		return ".json.zst", known
	}
	return ".json", known
}

// sampleID stands for a topic id, 22 characters of URL-safe base64.
const sampleID = "aB3-dE5_gH7iJ9kL1mN2oQ"

// name is a name as the consumer gives: <dir><topic id>/<partition>/<start offset, 20 digits><suffix>.
func (c *Consumer) name() (name string, known bool) {
	suffix, known := c.suffix()
	return c.Dir + sampleID + "/0/00000000000000001234" + suffix, known && c.Placed
}

// producersOf returns the producers that are known to send to a topic.
func (p *Pipeline) producersOf(topic Ref) []*Producer {
	if topic.none() {
		return nil
	}
	return p.senders[topic.key()]
}

// subjectsOf returns the subjects of the stack that type a topic's values: those of its producers, else that of the
// topic's name.
func (p *Pipeline) subjectsOf(topic Ref) []*Node {
	var list []*Node
	seen := map[*Node]bool{}
	producers := p.producersOf(topic)
	for _, producer := range producers {
		if s := producer.Subject.Node; s != nil && !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	if len(producers) == 0 && topic.ID != "" {
		if s := p.find("schema_subject", topic.ID+"-value"); s != nil {
			list = append(list, s)
		}
	}
	return list
}

// sources returns the CSV or Parquet files of a producer, none where they cannot be read or have no header.
func (p *Pipeline) sources(producer *Producer) []SourceFile {
	if files, known := p.files[producer]; known {
		return files
	}
	var files []SourceFile
	name, known := producer.text("source", "path")
	delimiter, known2 := producer.text("source", "delimiter")
	kind, known3 := producer.text("source", "type")
	drop, known4 := producer.texts("source", "drop")
	known3 = known3 && known4 && (kind == "parquet" || kind == "csv" && producer.absent("source", "header"))
	if p.in.Source != nil && known && known2 && known3 && name != "" && name != "-" && len(delimiter) == 1 {
		if read, err := p.in.Source(SourceConfig{Path: name, Format: kind, Delimiter: delimiter[0], Drop: drop}); err == nil {
			files = read
		}
	}
	p.files[producer] = files
	return files
}
