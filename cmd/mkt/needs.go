package main

import (
	"context"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/providers/azure"
	"mkt/providers/kafka"
	"mkt/providers/snowflake"
)

// What the stack does with its systems, as far as it is written: doctor asks whether the credentials may. What depends on
// values that servers compute is left out.

// needs are by the system's name in doctor.
type needs map[string][]providers.Need

func (n needs) add(system, on, name string, do ...string) {
	for _, d := range do {
		need := providers.Need{On: on, Name: name, Do: d}
		if !slices.Contains(n[system], need) {
			n[system] = append(n[system], need)
		}
	}
}

// The systems, as doctor names them.
const (
	sysKafka, sysRegistry, sysAzure, sysSnowflake = "kafka", "schema registry", "azure", "snowflake"
)

// needs evaluates the stack without asking anybody.
func (s *session) needs(ctx context.Context) needs {
	n := needs{}
	scope := s.stack.NewScope()
	for _, b := range s.stack.Order() {
		instances, _ := scope.Instances(b) // what is wrong with them, validate says
		for _, inst := range instances {
			v := inst.Value
			if p := s.asked(ctx, b.Kind.System); p != nil && p.Resource(b.Kind.Name) != nil {
				if full, err := p.Resource(b.Kind.Name).Complete(v); err == nil {
					v = full
				}
			}
			scope.Set(inst.Addr, v)
			id := ""
			if b.Kind.ID != nil && v.IsKnown() && !v.IsNull() && known(v, "name") != "" {
				id = b.Kind.ID(v)
			}
			n.ofKafka(b.Kind.Name, id, v)
			n.ofAzure(b.Kind.Name, id, v)
			n.ofSnowflake(b.Kind.Name, id, v)
		}
	}
	if conn, _, err := s.snowflakeSources(); err == nil && conn.Warehouse != "" {
		if name, err := snowflake.ParseName(conn.Warehouse); err == nil {
			n.add(sysSnowflake, "WAREHOUSE", name.String(), "USAGE")
		}
	}
	return n
}

// known is a text inside of an object, "" where it is null or unknown.
func known(v cty.Value, path ...string) string {
	for _, name := range path {
		if v == cty.NilVal || v.IsNull() || !v.IsKnown() || !v.Type().HasAttribute(name) {
			return ""
		}
		v = v.GetAttr(name)
	}
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

func (n needs) ofKafka(kind, id string, v cty.Value) {
	topic := known(v, "topic")
	switch kind {
	case "kafka_topic":
		if id != "" {
			n.add(sysKafka, kafka.OnTopic, id, "CREATE", "DESCRIBE_CONFIGS", "ALTER_CONFIGS")
		}
	case "kafka_acl":
		n.add(sysKafka, kafka.OnCluster, "", "DESCRIBE", "ALTER")
	case "kafka_quota":
		n.add(sysKafka, kafka.OnCluster, "", "DESCRIBE_CONFIGS", "ALTER_CONFIGS")
	case "schema_subject":
		if id != "" {
			n.add(sysRegistry, "subject", id, "read", "register")
			n.add(sysRegistry, "registry", "", "compatibility")
		}
	case "producer":
		if topic != "" { // it reads where its predecessor stopped
			n.add(sysKafka, kafka.OnTopic, topic, "WRITE", "READ")
		}
		if subject := known(v, "subject"); subject != "" {
			n.add(sysRegistry, "subject", subject, "read")
		}
	case "consumer":
		if topic != "" {
			n.add(sysKafka, kafka.OnTopic, topic, "READ")
		}
		if group := known(v, "group"); group != "" {
			n.add(sysKafka, kafka.OnGroup, group, "READ")
		}
	}
}

func (n needs) ofAzure(kind, id string, v cty.Value) {
	account := func(url string, action string) {
		if name, _, err := azure.ParseContainerURL(url); err == nil {
			n.add(sysAzure, azure.OnAccount, name, action)
		}
	}
	switch kind {
	case "azure_container":
		if id != "" {
			n.add(sysAzure, azure.OnContainer, id, "create", "list")
		}
	case "azure_queue":
		if id != "" {
			n.add(sysAzure, azure.OnQueue, id, "create", "read")
		}
	case "azure_event_subscription":
		account(known(v, "container"), "Microsoft.EventGrid/eventSubscriptions/write")
	case "azure_lifecycle_policy":
		if name := known(v, "account"); name != "" {
			n.add(sysAzure, azure.OnAccount, name, "Microsoft.Storage/storageAccounts/managementPolicies/write")
		}
	case "azure_role_assignment":
		name := known(v, "account")
		for _, on := range []string{known(v, "container"), known(v, "queue")} {
			if host, ok := strings.CutPrefix(on, "https://"); ok {
				name, _, _ = strings.Cut(host, ".")
			}
		}
		if name != "" {
			n.add(sysAzure, azure.OnAccount, name, "Microsoft.Authorization/roleAssignments/write")
		}
	case "consumer":
		if container := known(v, "container"); container != "" {
			n.add(sysAzure, azure.OnContainer, container, "list", "read", "write")
		}
	}
}

func (n needs) ofSnowflake(kind, id string, v cty.Value) {
	noun := snowflake.Noun(kind)
	if noun == "" || id == "" || kind == "snowflake_grant" {
		return
	}
	n.add(sysSnowflake, noun, id, snowflake.Manage)
	use := func(on string, do []string, path ...string) {
		if name, err := snowflake.ParseName(known(v, path...)); err == nil {
			n.add(sysSnowflake, on, name.String(), do...)
		}
	}
	switch kind {
	case "snowflake_stage":
		use("INTEGRATION", []string{"USAGE"}, "storage_integration")
	case "snowflake_pipe":
		use("INTEGRATION", []string{"USAGE"}, "integration")
		use("TABLE", []string{"SELECT", "INSERT"}, "copy", "into")
		use("STAGE", []string{"USAGE"}, "copy", "from")
		use("FILE FORMAT", []string{"USAGE"}, "copy", "file_format")
	}
}
