package policytool

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestANameIsNoFormula(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", " =1": "' =1", "\t=1": "?=1", "＝1": "'＝1",
		"ana": "ana", "a=1": "a=1", "": "", "   ": "   ", "a\r\n=1": "a??=1",
	} {
		assert.Equal(t, want, Inert(cell), "%q", cell)
	}
}
