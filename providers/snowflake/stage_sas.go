package snowflake

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
	"mkt/spec"
)

// What is kept of a minted token: its end, what it was minted for, and a keyed hash of it; and of the master key a keyed
// hash. Token and key themselves are kept nowhere.
const (
	privateExpires      = "sas_expires"
	privatePermissions  = "sas_permissions"
	privateExpiresIn    = "sas_expires_in"
	privateRotateBefore = "sas_rotate_before"
	privateHash         = "sas_hash"
	privateKeyHash      = "master_key_hash"
)

// stageResource is the resource of stages: it mints tokens, and announces their rotation at plan.
type stageResource struct{ *resource }

// Holds implements providers.Holder.
func (s *stageResource) Holds(ctx context.Context, refs []providers.Ref) []providers.Holding {
	return s.holding(ctx, refs)
}

// Refine implements providers.Refiner: a token near its end, or one that mkt knows nothing of, gets a successor.
func (s *stageResource) Refine(_ context.Context, changes []providers.Change) []providers.Result {
	out := make([]providers.Result, len(changes))
	for i, c := range changes {
		after := objectOf(c.After)
		if after.set("sas") && due(s.p.opts.Now(), c.Private, after.block("sas")) {
			after["sas_expires_at"] = cty.UnknownVal(cty.String)
		}
		out[i] = providers.Result{State: cty.ObjectVal(after), Private: c.Private}
	}
	return out
}

// due says whether a token must be minted: there is none, or it ends within rotate_before.
func due(now time.Time, private map[string]string, sas object) bool {
	end, err := time.Parse(time.RFC3339, private[privateExpires])
	if err != nil {
		return true
	}
	before, err := spec.ParseDuration(sas.str("rotate_before"))
	return err != nil || now.After(end.Add(-before))
}

// Create implements providers.Resource.
func (s *stageResource) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return s.runSecret(ctx, changes, "create", func(ctx context.Context, n Name, c providers.Change) (plan, error) {
		after := objectOf(c.After)
		p, token, err := s.mint(ctx, c, after, true)
		if err != nil {
			return p, err
		}
		secrets := stageSecrets{token, s.masterKey(&p, nil, after)}
		p.statements = []string{"CREATE STAGE " + n.SQL() + stageSettings(nil, after, secrets) + setComment(after)}
		return p, nil
	})
}

// Update implements providers.Resource.
func (s *stageResource) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return s.runSecret(ctx, changes, "alter", func(ctx context.Context, n Name, c providers.Change) (plan, error) {
		before, after := objectOf(c.Before), objectOf(c.After)
		if before.differs(after, "url") { // the stack's own pipes on it are gone by now
			if err := s.free(ctx, n); err != nil {
				return plan{private: c.Private}, err
			}
		}
		fresh := before.differs(after, "container") || !after["sas_expires_at"].IsKnown() || sasNeedsToken(before.block("sas"), after.block("sas"))
		p, token, err := s.mint(ctx, c, after, fresh)
		if err != nil {
			return p, err
		}
		p.statements = alterStage(n, before, after, stageSecrets{token, s.masterKey(&p, before, after)})
		return p, nil
	})
}

// sasNeedsToken says whether a change of the block asks for another token; a change of rotate_before alone does not.
func sasNeedsToken(before, after object) bool {
	return after != nil && (before == nil || before.differs(after, "permissions") || before.differs(after, "expires_in"))
}

// keyed is the hash by which a secret is known again; "" without a key to hash with.
func (s *stageResource) keyed(secret string) string {
	if len(s.p.opts.HashKey) == 0 {
		return ""
	}
	mac := hmac.New(sha256.New, s.p.opts.HashKey)
	mac.Write([]byte(secret))
	return hex.EncodeToString(mac.Sum(nil))
}

// masterKey is the key to send, "" where the stage has it, and notes in p what must not be seen and what to keep. Snowflake never
// tells the key, so that a hash of it has to do.
func (s *stageResource) masterKey(p *plan, before, after object) string {
	key := after.str("master_key")
	if key == "" {
		delete(p.private, privateKeyHash)
		return ""
	}
	p.secrets = append(p.secrets, key, literal(key))
	hash := s.keyed(key)
	if before != nil && before.str("encryption") == after.str("encryption") && hash != "" && hash == p.private[privateKeyHash] {
		return ""
	}
	if p.private[privateKeyHash] = hash; hash == "" {
		delete(p.private, privateKeyHash)
	}
	return key
}

// mint signs a token where one is due, and says what to keep of it. The token is "" where the stage keeps the one that it has.
func (s *stageResource) mint(ctx context.Context, c providers.Change, after object, fresh bool) (p plan, token string, err error) {
	p.private = maps.Clone(c.Private)
	if p.private == nil {
		p.private = map[string]string{}
	}
	sas := after.block("sas")
	if sas == nil {
		for _, k := range []string{privateExpires, privatePermissions, privateExpiresIn, privateRotateBefore, privateHash} {
			delete(p.private, k)
		}
		return p, "", nil
	}
	permissions := sas.strings("permissions")
	if fresh || due(s.p.opts.Now(), c.Private, sas) {
		if s.p.opts.MintSAS == nil {
			return p, "", &providers.Error{Code: providers.Denied, Path: cty.GetAttrPath("sas"), Err: errNoMint}
		}
		end, err := expiresAt(s.p.opts.Now(), sas)
		if err != nil {
			return p, "", err
		}
		token, err = s.p.opts.MintSAS(ctx, after.str("container"), permissions, end)
		if err != nil {
			return p, "", wrap(err, "sign a token for %s", after.str("container"))
		}
		if !strings.HasPrefix(token, "?") {
			token = "?" + token
		}
		p.secrets = []string{token, strings.TrimPrefix(token, "?"), literal(token)}
		p.private[privateExpires] = end.Format(time.RFC3339)
		if hash := s.keyed(token); hash != "" {
			p.private[privateHash] = hash
		}
	}
	p.private[privatePermissions] = strings.Join(permissions, ",")
	p.private[privateExpiresIn] = sas.str("expires_in")
	p.private[privateRotateBefore] = sas.str("rotate_before")
	return p, token, nil
}
