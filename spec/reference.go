package spec

import (
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
)

// typeText writes a type as the language does: map(string).
func typeText(ty cty.Type) string { return typeexpr.TypeString(ty) }
