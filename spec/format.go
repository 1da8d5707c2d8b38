package spec

import "github.com/hashicorp/hcl/v2/hclwrite"

// Format lays a stack file out in the canonical style. What does not parse comes back as it is, as far as possible.
func Format(src []byte) []byte { return hclwrite.Format(src) }
