package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"mkt/providers"
	"mkt/providers/snowflake"
	"mkt/render"
)

const doctorTimeout = 15 * time.Second

func newDoctor(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Show what is reachable and which credential won; exit 1 if something is not",
		Long: `doctor says, for each system, where every setting came from (never its value), and signs in to see whether
the system answers. It says which credential ends when, and which will stop working, and whether the credential may do what the
stack needs. Asking changes nothing. What may not be done is no failure of doctor: the stack may be applied by somebody else.`,
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
		may     func(context.Context, []providers.Need) ([]providers.Ability, []string) // with notes
	}
	probes := []probe{
		{sysKafka, func() ([]providers.Source, []string, error) {
			conn, sources, err := s.kafkaSources()
			notes, _ := conn.Notes(time.Now())
			return only(sources, "kafka"), notes, err
		}, s.askKafka, s.mayKafka},
		{sysRegistry, func() ([]providers.Source, []string, error) {
			conn, sources, err := s.kafkaSources()
			_, notes := conn.Notes(time.Now())
			return only(sources, "schema registry"), notes, err
		}, s.askRegistry, s.mayRegistry},
		{sysAzure, func() ([]providers.Source, []string, error) {
			conn, sources, err := s.azureSources()
			return sources, conn.Notes(time.Now()), err
		}, s.askAzure, s.mayAzure},
		{sysSnowflake, func() ([]providers.Source, []string, error) {
			conn, sources, err := s.snowflakeSources()
			return sources, conn.Notes(time.Now()), err
		}, s.askSnowflake, s.maySnowflake},
	}
	var checks []render.Check
	needs := s.needs(ctx)
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
		if check.Err == nil && !s.c.local { // the embedded stack lets its one user do everything
			askCtx, cancel := context.WithTimeout(ctx, doctorTimeout)
			abilities, notes := p.may(askCtx, needs[p.system])
			cancel()
			check.Abilities, check.Notes = abilities, append(check.Notes, notes...)
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

func count(n int, what string) string { return providers.Plural(int64(n), what) }

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

func (s *session) mayKafka(ctx context.Context, needs []providers.Need) ([]providers.Ability, []string) {
	conn, err := s.kafka(ctx)
	if err != nil || len(needs) == 0 {
		return nil, nil
	}
	return conn.Abilities(ctx, needs), nil
}

func (s *session) mayRegistry(ctx context.Context, needs []providers.Need) ([]providers.Ability, []string) {
	conn, err := s.kafka(ctx)
	if err != nil || len(needs) == 0 {
		return nil, nil
	}
	return conn.RegistryAbilities(ctx, needs), nil
}

func (s *session) mayAzure(ctx context.Context, needs []providers.Need) (may []providers.Ability, notes []string) {
	conn, err := s.azure(ctx)
	if err != nil {
		return nil, nil
	}
	if len(needs) > 0 {
		may = conn.Abilities(ctx, needs)
	}
	if conn.Key != "" || conn.SAS != "" {
		return may, nil
	}
	who, err := conn.WhoAmI(ctx)
	if err != nil {
		return may, nil
	}
	note := "signed in"
	if who.Credential != "" {
		note += " by " + who.Credential
	}
	if who.As != "" {
		note += " as " + who.As
	}
	if who.Credential != "" {
		note += "; " + providers.Ends("its token", who.Ends, time.Now()) + ", and is asked for again"
	}
	return may, []string{note}
}

func (s *session) maySnowflake(ctx context.Context, needs []providers.Need) (may []providers.Ability, notes []string) {
	p, ok := s.asked(ctx, sysSnowflake).(*snowflake.Provider)
	if !ok {
		return nil, nil
	}
	if len(needs) > 0 {
		may = p.Abilities(ctx, needs)
	}
	if name, end, ok := p.TokenEnds(ctx); ok {
		notes = append(notes, providers.Ends("the programmatic access token "+name, end, time.Now()))
	}
	return may, notes
}
