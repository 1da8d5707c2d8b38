package azure

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"mkt/providers"
)

// Each page fails once; the next one follows after it, and none comes twice.
func TestPages(t *testing.T) {
	failed := map[int]bool{}
	from := func(last *int) (*runtime.Pager[int], error) {
		return runtime.NewPager(runtime.PagingHandler[int]{
			More: func(page int) bool { return page < 3 },
			Fetcher: func(context.Context, *int) (int, error) {
				page := 1
				if last != nil {
					page = *last + 1
				}
				if !failed[page] {
					failed[page] = true
					return 0, providers.Errorf(providers.Unavailable, "page %d is late", page)
				}
				return page, nil
			},
		}), nil
	}
	p := &Provider{retryFor: 10 * time.Second}
	for until, want := range map[int][]int{3: {1, 2, 3}, 2: {1, 2}} {
		clear(failed)
		var got []int
		err := pages(t.Context(), p, "list", "", from, func(page int) (bool, error) {
			got = append(got, page)
			return page < until, nil
		})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("until %d: %v, %v", until, got, err)
		}
	}
	bad := fmt.Errorf("no good")
	if err := pages(t.Context(), p, "list", "", from, func(int) (bool, error) { return true, bad }); err != bad { //nolint:errorlint // the very same
		t.Errorf("the reader's error is %v", err)
	}
}
