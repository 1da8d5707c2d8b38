package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"github.com/spf13/cobra"

	"mkt/render"
	"mkt/stream"
)

func newDLQ(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Look at dead letters, and send them again",
		Long: `A dead letter is a row that a producer could not type, or a record that a consumer could not read: it was kept with the
reason instead of being lost. docs/how-to/dead-letters.md says how to go about them.`,
		RunE: group,
	}
	cmd.AddCommand(newDLQList(c), newDLQReplay(c))
	return cmd
}

func newDLQList(c *cli) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "list [producer.NAME | consumer.NAME ...]",
		Short: "List the dead letters that wait, and count them by reason",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			s, cfg, err := c.streamOf(ctx, args)
			if err != nil {
				return err
			}
			defer s.Close()
			list := render.DeadLettersJSON{Totals: []*render.DeadLetters{}, Letters: []render.DeadLetter{}}
			admin, err := stream.NewAdmin(cfg.Kafka)
			if err != nil {
				return err
			}
			defer admin.Close()
			for _, p := range cfg.Producers {
				if err := listRows(ctx, cfg, admin, p, s.stack.Dir, limit, &list); err != nil {
					return fmt.Errorf("dead letters of producer %q: %w", p.Name, err)
				}
			}
			for _, consumer := range cfg.Consumers {
				if err := listRecords(ctx, cfg, admin, consumer, limit, &list); err != nil {
					return fmt.Errorf("dead letters of consumer %q: %w", consumer.Name, err)
				}
			}
			if c.json {
				return render.JSON(c.out, list)
			}
			c.view(c.out).DeadLetters(list)
			return nil
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "most letters of each producer and consumer to show; all are counted")
	return cmd
}

func newDLQReplay(c *cli) *cobra.Command {
	var arrival time.Duration
	var examples int
	cmd := &cobra.Command{
		Use:   "replay [producer.NAME | consumer.NAME ...]",
		Short: "Send dead letters again whose cause was mended; exit 1 if some still are",
		Long: `replay types the dead letters of producers by the schema and the stack as they are now and sends those that fit to the
topic; it decodes those of consumers and writes those that fit to files beside the consumer's. What still does not fit stays a
dead letter. Each is sent or written once: it may be interrupted, killed and run again. A stream that runs is not disturbed; one
that does not has to run once more to bring a producer's rows to the table.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			s, cfg, err := c.streamOf(ctx, args)
			if err != nil {
				return err
			}
			defer s.Close()
			out := render.ReplayJSON{Replays: []render.Replayed{}}
			failed := false
			add := func(of, topic string, r stream.Replay) {
				one := render.Replayed{Of: of, Rows: r.Rows, Files: r.Files, Failed: r.Failed, Target: topic, Examples: []string{}}
				for _, e := range r.Examples {
					one.Examples = append(one.Examples, s.below(e.Error()))
				}
				out.Replays = append(out.Replays, one)
				failed = failed || r.Failed > 0
			}
			var wrote []stream.Consumer
			err = func() error {
				for _, p := range cfg.Producers {
					r, err := stream.ReplayProducer(ctx, cfg, p, examples)
					add("producer."+p.Name, p.Topic, r)
					if err != nil {
						return fmt.Errorf("replay the dead letters of producer %q: %w", p.Name, err)
					}
				}
				for _, consumer := range cfg.Consumers {
					r, err := stream.ReplayConsumer(ctx, cfg, consumer, examples)
					add("consumer."+consumer.Name, consumer.Topic, r)
					if err != nil {
						return fmt.Errorf("replay the dead letters of consumer %q: %w", consumer.Name, err)
					}
					if r.Files > 0 {
						wrote = append(wrote, consumer)
					}
				}
				return nil
			}()
			if c.json {
				err = errors.Join(err, render.JSON(c.out, out))
			} else {
				c.view(c.out).Replayed(out)
			}
			if err == nil && len(wrote) > 0 {
				ctx, cancel := context.WithTimeout(ctx, arrival)
				defer cancel()
				err = s.awaitArrival(ctx, wrote)
			}
			if err == nil && failed {
				return exitError(exitFailed)
			}
			return err
		},
	}
	cmd.Flags().IntVar(&examples, "examples", 10, "most reasons to show of what still is a dead letter")
	cmd.Flags().DurationVar(&arrival, "arrival-timeout", 10*time.Minute, "how long to wait until the pipes have loaded the files")
	return cmd
}

// streamOf opens the stack and evaluates the producers and consumers named, or all. The caller closes the session.
func (c *cli) streamOf(ctx context.Context, names []string) (*session, stream.Config, error) {
	s, err := c.open(ctx)
	if err != nil {
		return nil, stream.Config{}, err
	}
	app, err := s.app(ctx, []string{"producer", "consumer"}, names...)
	if err == nil && len(app) == 0 {
		err = errors.New("the stack has no producer and no consumer")
	}
	var cfg stream.Config
	if err == nil {
		cfg, err = s.streamConfig(ctx, app)
	}
	if err != nil {
		s.Close()
	}
	return s, cfg, err
}

// below is a text that begins with a path, as seen from the stack's directory.
func (s *session) below(text string) string {
	return strings.TrimPrefix(text, s.stack.Dir+string(filepath.Separator))
}

// listRows adds the dead letters of a producer. Files below dir are shown as seen from there.
func listRows(ctx context.Context, cfg stream.Config, admin *kafka.AdminClient, p stream.Producer, dir string, limit int, list *render.DeadLettersJSON) error {
	home, err := stream.DescribeTopic(ctx, admin, p.Topic)
	if err != nil {
		return err
	}
	dead, err := stream.ReadDeadRows(ctx, cfg.Kafka, admin, p, home)
	if err != nil {
		return err
	}
	total := &render.DeadLetters{Of: "producer." + p.Name, Replayed: dead.Replayed, Gone: dead.Gone}
	list.Totals = append(list.Totals, total)
	shown := 0
	err = dead.Each(ctx, cfg.Kafka, func(l stream.Letter) error {
		total.Add(l.Reason)
		if shown++; shown <= limit {
			file := strings.TrimPrefix(l.File, dir+string(filepath.Separator))
			list.Letters = append(list.Letters, render.DeadLetter{Of: total.Of, Where: fmt.Sprintf("%s:%d", file, l.Line), When: l.Time, Reason: l.Reason,
				Text: string(l.Raw), File: l.File, Line: l.Line, Row: l.Row, Topic: p.DeadLetters(), Partition: l.Partition, Offset: l.Offset})
		}
		return nil
	})
	total.Sum()
	return err
}

// listRecords adds the dead letters of a consumer.
func listRecords(ctx context.Context, cfg stream.Config, admin *kafka.AdminClient, c stream.Consumer, limit int, list *render.DeadLettersJSON) error {
	t, err := stream.DescribeTopic(ctx, admin, c.Topic)
	if err != nil {
		return err
	}
	blobs, err := cfg.Blob(c.ContainerURL)
	if err != nil {
		return err
	}
	dead, err := stream.ReadDeadRecords(ctx, blobs, c, t)
	if err != nil {
		return err
	}
	total := &render.DeadLetters{Of: "consumer." + c.Name, Replayed: dead.Replayed, Gone: dead.Gone}
	list.Totals = append(list.Totals, total)
	shown := 0
	err = dead.Each(ctx, func(l stream.RecordLetter) error {
		total.Add(l.Reason)
		if shown++; shown <= limit {
			list.Letters = append(list.Letters, render.DeadLetter{Of: total.Of, Where: fmt.Sprintf("%s/%d:%d", c.Topic, l.Partition, l.Offset), When: l.Time,
				Reason: l.Reason, Text: recordText(l.Value), Topic: c.Topic, Partition: l.Partition, Offset: l.Offset})
		}
		return nil
	})
	total.Sum()
	return err
}

// recordText is a record's value for people: text, or what is known of bytes.
func recordText(value []byte) string {
	id, datum, err := stream.SchemaID(value)
	switch {
	case err == nil:
		return fmt.Sprintf("schema %d, %d bytes", id, len(datum))
	case value == nil:
		return "no value"
	}
	return strings.ToValidUTF8(string(value), "\uFFFD")
}
