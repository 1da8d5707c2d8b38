package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// pages calls each for every page of a listing, until it returns false. A pager that failed once fails for good, so each page is asked of a
// new one: from makes it, so that it begins after the page last, nil for the first one.
func pages[R any](ctx context.Context, p *Provider, what, hint string, from func(last *R) (*runtime.Pager[R], error), each func(R) (more bool, err error)) error {
	for last := (*R)(nil); ; {
		var more bool
		page, _, err := call(ctx, p, what, hint, func(ctx context.Context) (page R, err error) {
			pager, err := from(last)
			if err != nil {
				return page, err
			}
			page, err = pager.NextPage(ctx)
			more = pager.More()
			return page, err
		})
		if err != nil {
			return err
		}
		if goOn, err := each(page); err != nil || !goOn || !more {
			return err
		}
		last = &page
	}
}
