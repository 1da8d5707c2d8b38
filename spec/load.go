package spec

import (
	"errors"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Options are what a stack is loaded with besides its files.
type Options struct {
	Kinds     []*Kind // the resources
	App       []*Kind // what runs and asks: AppKinds()
	Providers []*Kind // the provider blocks, by Name "kafka"

	// Vars are the values of -var flags as written; VarFiles are the paths of -var-file flags, in order.
	Vars     map[string]string
	VarFiles []string
	// Getenv looks up MKT_VAR_name and what env() asks for; "" counts as not set. Nil is an empty environment.
	Getenv func(string) string
	// Version is mkt's own, held against required_version; "" skips that check.
	Version string
}

// Stack is a loaded stack. It does not change after Load and is safe for concurrent use.
type Stack struct {
	Path     string               // as given to Load
	Dir      string               // absolute; path.stack in the language
	Name     string               // the file's name without .hcl, or the directory's
	Files    map[string]*hcl.File // by file name as the ranges of diagnostics have it
	Settings Settings

	kinds     map[string]*Kind // resources and app by name
	data      map[string]*Kind // of data blocks, by the name of the kind that they read
	providers map[string]*providerBlock
	shapes    map[*Kind]*shape

	modules map[string]*module // by directory, but for the stack itself
	loading []string           // the directories of those that are being declared, from the outside in
	top     *moduleInstance    // the stack itself

	// What all instances of modules have together, with whole addresses.
	instances []*moduleInstance // outer ones first
	byPath    map[string]*moduleInstance
	blocks    []*Block
	byAddr    map[Addr]*Block
	order     []*Block
	moved     []Moved
	removed   []Removed
	imports   []Import

	functions *hcl.EvalContext
	reads     *reads
}

// Load reads the stack at path, a file or a directory of *.hcl and *.hcl.json files, and checks all that needs no remote system.
// The diagnostics are complete: when anything is wrong, blocks that stand on sound ground have been evaluated as well.
// The stack is never nil, so that Files can serve an error's excerpt; with errors it is good for nothing else.
func Load(path string, opts Options) (*Stack, hcl.Diagnostics) {
	s := &Stack{
		Path:      path,
		Files:     map[string]*hcl.File{},
		kinds:     map[string]*Kind{},
		data:      map[string]*Kind{},
		providers: map[string]*providerBlock{},
		shapes:    map[*Kind]*shape{},
		modules:   map[string]*module{},
		byPath:    map[string]*moduleInstance{},
		byAddr:    map[Addr]*Block{},
	}
	s.reads = &reads{files: map[string]fileRead{}, env: map[string]string{}, getenv: opts.Getenv}
	if s.reads.getenv == nil {
		s.reads.getenv = func(string) string { return "" }
	}
	for _, k := range append(append([]*Kind{}, opts.Kinds...), opts.App...) {
		s.addKind(k)
	}
	for _, k := range opts.Providers {
		s.providers[k.Name] = &providerBlock{kind: k}
		s.shapes[k] = newShape(k.Attrs, k.Blocks)
	}

	s.top = &moduleInstance{module: s.newModule("", path)} // until there is more
	bodies, diags := s.parse(opts.VarFiles)
	if diags.HasErrors() {
		return s, diags
	}
	s.functions = &hcl.EvalContext{Functions: s.newFunctions()}

	root := s.newModule(s.Dir, s.Path)
	root.root = true
	if dir, err := filepath.EvalSymlinks(s.Dir); err == nil {
		s.modules[dir] = root
		s.loading = []string{dir}
	}
	settings, more := root.declare(bodies)
	s.loading = nil
	diags = append(diags, more...)
	diags = append(diags, root.setVariables(opts)...)
	diags = append(diags, s.setSettings(root, settings, opts.Version)...)
	misled := s.checkReferences(root)
	diags = append(diags, misled...)
	diags = append(diags, s.expand(root, diags.HasErrors())...)
	diags = append(diags, s.checkMoves()...)
	cycles := s.sortBlocks()
	diags = append(diags, cycles...)
	if diags.HasErrors() && !cycles.HasErrors() {
		diags = append(diags, apartFrom(misled, s.validate(true))...)
	}
	return s, inSourceOrder(unique(diags))
}

// parse finds and parses the files. The names in ranges are the path as given, joined with the file's name.
func (s *Stack) parse(varFiles []string) ([]*hclsyntax.Body, hcl.Diagnostics) {
	info, err := os.Stat(s.Path)
	if err != nil {
		return nil, hcl.Diagnostics{errorNowhere("No stack found",
			"There is no stack at %q: %s. Name a .hcl file or a directory that holds some.", s.Path, reason(err))}
	}
	dir, names := s.Path, []string{s.Path}
	if info.IsDir() {
		all, err := Files(s.Path)
		if err != nil {
			return nil, hcl.Diagnostics{errorNowhere("No stack found", "The directory %q cannot be read: %s.", s.Path, reason(err))}
		}
		names = without(all, varFiles)
		if len(names) == 0 {
			return nil, hcl.Diagnostics{errorNowhere("No stack found", "The directory %q holds no .hcl file.", s.Path)}
		}
	} else {
		dir = filepath.Dir(s.Path)
	}
	if s.Dir, err = filepath.Abs(dir); err != nil {
		return nil, hcl.Diagnostics{errorNowhere("No stack found", "The directory of %q cannot be told: %s.", s.Path, err)}
	}
	s.Name = filepath.Base(s.Dir)
	if !info.IsDir() {
		s.Name = strings.TrimSuffix(strings.TrimSuffix(filepath.Base(s.Path), ".json"), ".hcl")
	}

	return s.parseFiles(names)
}

// Files returns the paths of a directory's files in the language, in either syntax, sorted. Hidden files are none.
func Files(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		name := e.Name()
		ours := strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, jsonSuffix)
		if ours && !strings.HasPrefix(name, ".") && !e.IsDir() {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths, err
}

func (s *Stack) parseFiles(names []string) (bodies []*hclsyntax.Body, diags hcl.Diagnostics) {
	for _, name := range names {
		body, more := s.parseFile(name, "Stack file not readable", ReadFile)
		diags = append(diags, more...)
		if body != nil {
			bodies = append(bodies, body)
		}
	}
	return bodies, diags
}

// ReadFile reads a file of a stack. What is no regular file is refused: a named pipe would be waited for, and a device read, without end.
func ReadFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: name, Err: errors.New("it is no regular file")}
	}
	return os.ReadFile(name)
}

func (s *Stack) parseFile(name, summary string, read func(string) ([]byte, error)) (*hclsyntax.Body, hcl.Diagnostics) {
	src, err := read(name)
	if err != nil {
		return nil, hcl.Diagnostics{errorNowhere(summary, "The file %q cannot be read: %s.", name, reason(err))}
	}
	s.Files[name] = &hcl.File{Bytes: src}
	if strings.HasSuffix(name, jsonSuffix) {
		return s.parseJSON(src, name)
	}
	body, diags := parseNative(src, name)
	s.Files[name].Nav = navigation{body}
	for _, d := range diags {
		if d.Summary == "Invalid single-argument block definition" {
			d.Detail = "A block on one line holds one attribute at most. Put each attribute on a line of its own."
		}
	}
	return body, diags
}

// Pattern is a pattern of files below a directory, as a pattern for all of the path: the directory may have any name.
func Pattern(dir, pattern string) string {
	return filepath.Join(strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "{", `\{`).Replace(dir), pattern)
}

// reason is an error of the file system without the path that the message has already.
func reason(err error) string {
	switch {
	case os.IsNotExist(err):
		return "no such file or directory"
	case os.IsPermission(err):
		return "permission denied"
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// without drops hidden files (editors leave some), and those that others name as well, whatever the spelling of the path.
func without(names, others []string) []string {
	drop := map[string]bool{}
	for _, o := range others {
		if abs, err := filepath.Abs(o); err == nil {
			drop[abs] = true
		}
	}
	var kept []string
	for _, name := range names {
		if abs, err := filepath.Abs(name); err != nil || !drop[abs] {
			kept = append(kept, name)
		}
	}
	return kept
}

func sortedAttributes(body *hclsyntax.Body) []*hclsyntax.Attribute {
	attrs := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, a := range body.Attributes {
		attrs = append(attrs, a)
	}
	sort.Slice(attrs, func(i, j int) bool { return attrs[i].SrcRange.Start.Byte < attrs[j].SrcRange.Start.Byte })
	return attrs
}

func (s *Stack) kindNames() []string {
	names := make([]string, 0, len(s.kinds))
	for name := range s.kinds {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Blocks returns the resources and the blocks of the app in source order, files by name, each module's after its caller's.
func (s *Stack) Blocks() []*Block { return s.blocks }

// Block returns the block that addr names (its key is ignored), or nil.
func (s *Stack) Block(addr Addr) *Block { return s.byAddr[addr.Block()] }

// Kind returns the resource or app kind of that name, or nil.
func (s *Stack) Kind(name string) *Kind { return s.kinds[name] }

// Order returns all blocks so that each comes after the blocks it refers to, otherwise in source order.
func (s *Stack) Order() []*Block { return s.order }
