package spec

import (
	"bytes"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// pieceSize is about how many bytes of a file are parsed at a time.
const pieceSize = 16 << 10

// parseNative is hclsyntax.ParseConfig for files of any size. HCL's scanner
// makes all tokens of what it is given before the parser sees the first, and
// they take more than thirty times the bytes of the file, several times over
// while their list grows. So a large file is parsed in pieces, each of which
// ends with a line that holds a closing brace alone, where most often a block
// ends. A piece that has anything wrong may have been cut within a heredoc or a
// comment: then the file is parsed as a whole, and what that says holds.
func parseNative(src []byte, name string) (*hclsyntax.Body, hcl.Diagnostics) {
	if rng := tooDeep(src, name); rng != nil {
		return nil, hcl.Diagnostics{errorAt(*rng, "Too deep", "Here more than %d brackets are open at once. Make locals of parts of it, or read it with jsondecode(file(…)).", mostOpen)}
	}
	if body := parsePieces(src, name, pieceSize); body != nil {
		return body, nil
	}
	return parseAt(src, name, hcl.InitialPos)
}

// parsePieces is nil for a file that has only one piece, or a piece that cannot stand alone.
func parsePieces(src []byte, name string, size int) *hclsyntax.Body {
	if len(src) < 2*size {
		return nil
	}
	var whole *hclsyntax.Body
	for at := hcl.InitialPos; at.Byte < len(src); {
		text := src[at.Byte:]
		text = text[:pieceEnd(text, size)]
		piece, diags := parseAt(text, name, at)
		if len(diags) > 0 || len(piece.Attributes) > 0 { // attributes of the same name are to be told
			return nil
		}
		if whole == nil {
			whole = piece
		} else {
			whole.Blocks = append(whole.Blocks, piece.Blocks...)
			whole.SrcRange = hcl.RangeBetween(whole.SrcRange, piece.SrcRange)
			whole.EndRange = piece.EndRange
		}
		at = hcl.Pos{Line: at.Line + bytes.Count(text, []byte("\n")), Column: 1, Byte: at.Byte + len(text)}
	}
	return whole
}

// mostOpen is how many brackets may be open at once. The parser calls itself for each of them, and a stack that
// overflows ends the process without a word of what was wrong.
const mostOpen = 1000

// tooDeep is where more brackets are open than may be, nil where there are not.
func tooDeep(src []byte, name string) *hcl.Range {
	open := 0
	for i := 0; i < len(src) && open <= mostOpen; i++ { // cheap, and too many at most where texts hold them
		switch src[i] {
		case '(', '[', '{':
			open++
		case ')', ']', '}':
			open = max(open-1, 0)
		}
	}
	if open <= mostOpen {
		return nil
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos) // knows texts and comments
	open = 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOParen, hclsyntax.TokenOBrack, hclsyntax.TokenOBrace, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			open++
		case hclsyntax.TokenCParen, hclsyntax.TokenCBrack, hclsyntax.TokenCBrace, hclsyntax.TokenTemplateSeqEnd:
			open--
		}
		if open > mostOpen {
			return &t.Range
		}
	}
	return nil
}

// navigation names the block around a place, for the heads of diagnostics.
type navigation struct{ body *hclsyntax.Body }

// ContextString returns the header of the block that the byte is in, "" outside of all.
func (n navigation) ContextString(offset int) string {
	if n.body == nil {
		return ""
	}
	for _, b := range n.body.Blocks {
		if b.Range().ContainsOffset(offset) {
			text := b.Type
			for _, label := range b.Labels {
				text += " " + strconv.Quote(label)
			}
			return text
		}
	}
	return ""
}

func parseAt(src []byte, name string, at hcl.Pos) (*hclsyntax.Body, hcl.Diagnostics) {
	file, diags := hclsyntax.ParseConfig(src, name, at)
	return file.Body.(*hclsyntax.Body), diags
}

// pieceEnd is where the first line behind size bytes ends that holds a closing
// brace alone.
func pieceEnd(src []byte, size int) int {
	for at := size; at < len(src); {
		i := bytes.Index(src[at:], []byte("\n}"))
		if i < 0 {
			break
		}
		at += i + len("\n}")
		if rest := bytes.TrimPrefix(src[at:], []byte("\r")); bytes.HasPrefix(rest, []byte("\n")) {
			return len(src) - len(rest) + 1
		}
	}
	return len(src)
}
