package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"mkt/providers"
	"mkt/render"
)

const doctorTimeout = 15 * time.Second

func newDoctor(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Show what is reachable and which credential won; exit 1 if something is not",
		Long: `doctor says, for each system, where every setting came from (never its value), and signs in to see whether
the system answers. It says which credential ends when, and which will stop working.`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := c.open(cmd.Context())
			if err != nil {
				return err
			}
			defer s.Close()
			checks := s.doctor(cmd.Context())
			if c.json {
				if err := render.JSON(c.out, render.ChecksJSON(checks)); err != nil {
					return err
				}
			} else {
				c.view(c.out).Checks(checks)
			}
			for _, check := range checks {
				if check.Err != nil {
					return exitError(exitFailed)
				}
			}
			return nil
		},
	}
}

// doctor asks every system for something small.
func (s *session) doctor(ctx context.Context) []render.Check {
	type probe struct {
		system  string
		sources func() ([]providers.Source, []string, error) // with notes
		ask     func(context.Context) (string, error)
	}
	probes := []probe{
		{"kafka", func() ([]providers.Source, []string, error) {
			conn, sources, err := s.kafkaSources()
			notes, _ := conn.Notes(time.Now())
			return only(sources, "kafka"), notes, err
		}, s.askKafka},
		{"schema registry", func() ([]providers.Source, []string, error) {
			conn, sources, err := s.kafkaSources()
			_, notes := conn.Notes(time.Now())
			return only(sources, "schema registry"), notes, err
		}, s.askRegistry},
		{"azure", func() ([]providers.Source, []string, error) {
			conn, sources, err := s.azureSources()
			return sources, conn.Notes(time.Now()), err
		}, s.askAzure},
		{"snowflake", func() ([]providers.Source, []string, error) {
			conn, sources, err := s.snowflakeSources()
			return sources, conn.Notes(time.Now()), err
		}, s.askSnowflake},
	}
	var checks []render.Check
	for _, p := range probes {
		check := render.Check{System: p.system}
		if s.c.local {
			check.Sources = []providers.Source{{System: p.system, Setting: "endpoint and credentials", From: "embedded stack"}}
		} else {
			check.Sources, check.Notes, check.Err = p.sources()
			var diags hcl.Diagnostics
			if errors.As(check.Err, &diags) {
				check.Err = errors.New(diags[0].Detail)
			}
		}
		if check.Err == nil {
			askCtx, cancel := context.WithTimeout(ctx, doctorTimeout)
			check.Answer, check.Err = p.ask(askCtx)
			cancel()
		}
		checks = append(checks, check)
	}
	return checks
}

func only(sources []providers.Source, system string) []providers.Source {
	var out []providers.Source
	for _, s := range sources {
		if s.System == system {
			out = append(out, s)
		}
	}
	return out
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (s *session) askKafka(ctx context.Context) (string, error) {
	conn, err := s.kafka(ctx)
	if err != nil {
		return "", err
	}
	brokers, topics, err := conn.Ping(ctx)
	if err != nil {
		return "", err
	}
	return count(brokers, "broker") + ", " + count(topics, "topic"), nil
}

func (s *session) askRegistry(ctx context.Context) (string, error) {
	conn, err := s.kafka(ctx)
	if err != nil {
		return "", err
	}
	subjects, err := conn.PingRegistry(ctx)
	if err != nil {
		return "", err
	}
	return count(subjects, "subject"), nil
}

func (s *session) askAzure(ctx context.Context) (string, error) {
	conn, err := s.azure(ctx)
	if err != nil {
		return "", err
	}
	containers, err := conn.Ping(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("storage account %s, %s seen", conn.Account, count(containers, "container")), nil
}

func (s *session) askSnowflake(ctx context.Context) (string, error) {
	conn, err := s.snowflake(ctx)
	if err != nil {
		return "", err
	}
	db, err := conn.Open(ctx)
	if err != nil {
		return "", err
	}
	defer db.Close()
	var user, role, version string
	err = db.QueryRowContext(ctx, "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_VERSION()").Scan(&user, &role, &version)
	if err != nil {
		return "", errors.Join(errors.New("signed in, but the first question failed"), err)
	}
	return fmt.Sprintf("user %s, role %s, version %s", user, role, version), nil
}
