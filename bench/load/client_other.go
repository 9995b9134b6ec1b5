//go:build !linux

package load

import (
	"context"
	"errors"
)

func (c Config) run(context.Context, plan) (Result, error) {
	return Result{}, errors.New("load: the load client needs Linux")
}
