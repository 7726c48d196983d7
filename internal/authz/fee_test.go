package authz_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

func TestMonthlyFee(t *testing.T) {
	t.Parallel()
	const monthly, hourly = false, true
	for _, c := range []struct {
		says  string
		per   bool
		parts []string
		want  string
	}{
		{"a whole number", monthly, []string{"1000"}, "1000.00"},
		{"two decimals", monthly, []string{"412.50"}, "412.50"},
		{"trailing zeros are dropped", monthly, []string{"412.500000"}, "412.50"},
		{"four decimals are kept", monthly, []string{"0.1234"}, "0.1234"},
		{"a fifth is rounded up", monthly, []string{"0.12340001"}, "0.1235"},
		{"rounding up carries", monthly, []string{"9.99999"}, "10.00"},
		{"nothing is free of charge, not unknown", monthly, []string{"0"}, "0.00"},
		{"no leading zero", monthly, []string{".5"}, "0.50"},
		{"no trailing digit", monthly, []string{"5."}, "5.00"},
		{"a number with an exponent", monthly, []string{"1.5e-05"}, "0.0001"},
		{"an hourly fee times 730", hourly, []string{"0.565"}, "412.45"},
		{"an hourly fee rounded after the product", hourly, []string{"0.00001"}, "0.0073"},
		{"an hourly fee rounded up", hourly, []string{"0.000001"}, "0.0008"},
		{"as many digits as are read", monthly, []string{"0." + strings.Repeat("0", 37) + "1"}, "0.0001"},
		{"floats would be wrong here", monthly, []string{"0.1", "0.2"}, "0.30"},
		{"children are added before rounding", monthly, []string{"0.00004", "0.00004"}, "0.0001"},
		{"a credit is subtracted", monthly, []string{"10", "-2.5"}, "7.50"},
		{"an unknown part makes the sum unknown", monthly, []string{"10", ""}, ""},
		{"unknown is unknown by the hour too", hourly, []string{""}, ""},
		{"no parts are unknown", monthly, nil, ""},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			got, err := authz.MonthlyFee(c.per, c.parts...)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestMonthlyFeeRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a lot", "1,000", "1/3", "0x10", "NaN", "Inf", "1_0", " 1", "+1", ".", "-", "1e999", "-1", "12345678901234567890123456789012345678901"} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, err := authz.MonthlyFee(false, text)
			assert.Error(t, err)
			assert.Empty(t, got)
		})
	}
}
