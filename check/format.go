package check

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

var formatRules = []Rule{
	{
		ID: "file-format", Severity: hcl.DiagError, Summary: "File format is not that of the files",
		Doc: "The file format of the pipe, or of its stage, has the type that the consumer writes (`JSON` for `format = \"json\"`), and its `COMPRESSION` is `AUTO` or the consumer's. " +
			"A pipe without any file format reads CSV.",
		Check: checkFileFormat,
	},
	{
		ID: "small-files", Severity: hcl.DiagWarning, Summary: "Very small files",
		Doc: "A file holds more than a few rows. Every file costs an upload, an event and a load, whatever its size; Snowflake advises files of 100 to 250 MB, or about one a minute. " +
			"It speaks below 1,000 rows, 64 KiB or 1 second.",
		Check: checkSmallFiles,
	},
}

func checkFileFormat(p *Pipeline) (found []Finding) {
	for _, l := range p.Loads {
		kind, known := l.Consumer.text("format")
		compression, known2 := l.Consumer.text("compression")
		if !known || !known2 {
			continue
		}
		format := l.Pipe.Format.Node
		if format == nil {
			stage := l.Pipe.Stage.Node
			if l.Pipe.Format.none() && l.Pipe.absent("copy", "file_format") && stage.absent("file_format") {
				found = append(found, Finding{At: l.Pipe.End("copy"), Others: []End{l.Consumer.End("format")},
					Detail: fmt.Sprintf("Neither the pipe nor its stage has a file format, so Snowflake reads the files as CSV, and %s writes %s. Set file_format.", l.Consumer.Addr, strings.ToUpper(kind))})
			}
			continue
		}
		if typ, known := format.text("type"); known && !strings.EqualFold(typ, kind) {
			found = append(found, Finding{At: format.End("type"), Others: []End{l.Consumer.End("format"), l.Pipe.End("copy", "file_format")},
				Detail: fmt.Sprintf("The file format reads %s, and %s writes %s: no file would load. Set type = %q.", typ, l.Consumer.Addr, strings.ToUpper(kind), strings.ToUpper(kind))})
			continue
		}
		options, known := format.textMap("options")
		for name, value := range options {
			if !known || !strings.EqualFold(name, "COMPRESSION") || strings.EqualFold(value, "AUTO") || strings.EqualFold(value, compression) {
				continue
			}
			at := format.End("options")
			at.Path = at.Path.IndexString(name)
			found = append(found, Finding{At: at, Others: []End{l.Consumer.End("compression"), l.Pipe.End("copy", "file_format")},
				Detail: fmt.Sprintf("The file format expects compression %s, and %s writes its files with compression %q: no file would load. Leave COMPRESSION out.", value, l.Consumer.Addr, compression)})
		}
	}
	return found
}

func checkSmallFiles(p *Pipeline) (found []Finding) {
	for _, c := range p.Consumers {
		if c.absent("roll") {
			continue
		}
		rows, known := c.number("roll", "rows")
		report := func(attr, format string, args ...any) {
			found = append(found, Finding{At: c.End("roll", attr),
				Detail: fmt.Sprintf(format, args...) + " Each costs an upload, an event and a load, and the pipe falls behind. The defaults are 100,000 rows, 64 MiB and 10 s, whatever comes first."})
		}
		if known && rows < 1000 {
			report("rows", "A file ends after %d row(s).", rows)
		}
		if size, known := bytesOf(c, "roll", "bytes"); known && size < 64<<10 {
			report("bytes", "A file ends after %d bytes.", size)
		}
		if every, known := durationOf(c.Node, "roll", "every"); known && every < second {
			report("every", "A file ends after %s.", every)
		}
	}
	return found
}
