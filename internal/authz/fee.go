package authz

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// hoursPerMonth is how many hours SoftLayer counts for a month.
const hoursPerMonth = 730

// feePlaces is how many decimals a Cedar decimal holds.
const feePlaces = 4

var decimalText = regexp.MustCompile(`^-?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?$`)

// maxDecimalText bounds what is read as one number.
const maxDecimalText = 40

// MonthlyFee returns the sum of the parts of a server's recurring fee a month, as decimal text with two
// to four decimals. Parts are decimal text as SoftLayer sends it. Hourly parts are multiplied by 730,
// and the exact result is rounded up. If a part is "", or there are no parts, the sum is unknown: "".
func MonthlyFee(hourly bool, parts ...string) (string, error) {
	sum := new(big.Rat)
	for _, part := range parts {
		if part == "" {
			return "", nil
		}
		amount, err := parseDecimal(part)
		if err != nil {
			return "", err
		}
		sum.Add(sum, amount)
	}
	if len(parts) == 0 {
		return "", nil
	}
	if sum.Sign() < 0 {
		return "", fmt.Errorf("adding up the fees %q: the sum is negative", parts)
	}
	if hourly {
		sum.Mul(sum, big.NewRat(hoursPerMonth, 1))
	}
	return roundUp(sum), nil
}

func parseDecimal(text string) (*big.Rat, error) {
	amount := new(big.Rat)
	if len(text) <= maxDecimalText && decimalText.MatchString(text) {
		if _, ok := amount.SetString(text); ok {
			return amount, nil
		}
	}
	return nil, fmt.Errorf("reading the fee %.40q: not a decimal number", text)
}

// roundUp writes a non-negative amount with two to four decimals.
func roundUp(amount *big.Rat) string {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(feePlaces), nil)
	units := new(big.Int).Mul(amount.Num(), scale)
	rest := new(big.Int)
	units.QuoRem(units, amount.Denom(), rest)
	if rest.Sign() > 0 {
		units.Add(units, big.NewInt(1))
	}
	whole, fraction := new(big.Int).QuoRem(units, scale, rest)
	digits := fmt.Sprintf("%0*d", feePlaces, fraction)
	return fmt.Sprintf("%d.%s%s", whole, digits[:2], strings.TrimRight(digits[2:], "0"))
}
