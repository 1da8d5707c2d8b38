package snowflake

import (
	"context"
	"fmt"
	"slices"

	"mkt/providers"
)

// List implements providers.Lister; scope is a schema, and kinds that no schema holds have no objects in it.
func (r *resource) List(ctx context.Context, scope string) ([]string, error) {
	if r.kind.parent != "schema" {
		return nil, nil
	}
	schema, err := parseSchema(scope)
	if err != nil {
		return nil, err
	}
	rows, err := r.p.client.query(ctx, "SHOW "+r.kind.plural+" IN SCHEMA "+schema.SQL())
	switch {
	case err != nil:
		return nil, wrap(err, "list the %s of %s", r.kind.spec.Name, scope)
	case len(rows) >= showLimit:
		return nil, fmt.Errorf("list the %s of %s: SHOW %s lists no more than %d objects, so some would be missing", r.kind.spec.Name, scope, r.kind.plural, showLimit)
	}
	var ids []string
	for _, row := range rows {
		if truth(row["is_materialized"]) || truth(row["is_external"]) || truth(row["is_dynamic"]) { // other kinds of object, which mkt does not describe
			continue
		}
		ids = append(ids, append(slices.Clone(schema), Ident(row["name"])).String())
	}
	slices.Sort(ids)
	return ids, nil
}

func parseSchema(scope string) (Name, error) {
	schema, err := ParseName(scope)
	if err != nil || len(schema) != 2 {
		return nil, providers.Errorf(providers.Invalid, "%q does not name a schema in full: write DATABASE.SCHEMA", scope)
	}
	return schema, nil
}
