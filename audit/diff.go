package audit

// side is one of two places that are compared: it yields the hash of every
// row there and, when asked, where the row is. It can be gone through again.
type side func(yield func(hash uint64, example func() Example) error) error

// both is two sides as one.
func both(sides ...side) side {
	return func(yield func(uint64, func() Example) error) error {
		for _, s := range sides {
			if err := s(yield); err != nil {
				return err
			}
		}
		return nil
	}
}

// perPass is how many rows a pass of diff holds hashes of.
const perPass = 4 << 20

// diff goes through both sides again and names what differs: rows that are
// expected more often than they are there are lost, the others doubled. It
// takes a pass for every few million rows, so that memory is bounded.
func diff(expected, got side, rows int64, limit int) (lost, doubled int64, examples []Example, err error) {
	passes := uint64(rows/perPass) + 1
	lostAt, doubledAt := map[uint64]int64{}, map[uint64]int64{}
	for pass := range passes {
		delta := map[uint64]int64{}
		count := func(step int64) func(uint64, func() Example) error {
			return func(h uint64, _ func() Example) error {
				if h%passes != pass {
					return nil
				}
				if n := delta[h] + step; n == 0 {
					delete(delta, h)
				} else {
					delta[h] = n
				}
				return nil
			}
		}
		if err := expected(count(1)); err != nil {
			return lost, doubled, nil, err
		}
		if err := got(count(-1)); err != nil {
			return lost, doubled, nil, err
		}
		for h, n := range delta {
			if n > 0 {
				lost += n
				remember(lostAt, h, n, limit)
			} else {
				doubled -= n
				remember(doubledAt, h, -n, limit)
			}
		}
	}
	examples, err = describe(examples, expected, lostAt, false)
	if err != nil {
		return lost, doubled, examples, err
	}
	examples, err = describe(examples, got, doubledAt, true)
	return lost, doubled, examples, err
}

func remember(at map[uint64]int64, h uint64, n int64, limit int) {
	if len(at) < limit {
		at[h] = n
	}
}

// describe finds the rows of those hashes, each as often as it differs.
func describe(examples []Example, s side, at map[uint64]int64, doubled bool) ([]Example, error) {
	if len(at) == 0 {
		return examples, nil
	}
	err := s(func(h uint64, example func() Example) error {
		if at[h] > 0 {
			at[h] = 0 // one example for each
			e := example()
			e.Doubled = doubled
			examples = append(examples, e)
		}
		return nil
	})
	return examples, err
}
