package broker

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kfake"
)

// logger passes kfake's log to slog. Everything kfake calls info is one line
// for each refused connection or request, so it counts as debug here.
type logger struct{}

func (logger) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	}
	ctx := context.Background()
	if slog.Default().Enabled(ctx, to) {
		slog.Default().Log(ctx, to, fmt.Sprintf(format, args...), "component", "broker")
	}
}
