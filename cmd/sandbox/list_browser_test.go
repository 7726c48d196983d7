//go:build unix

package main

import (
	"fmt"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
)

// pasted is a list as people paste it: web-006 has an open ticket, web-010 is protected, and nothing is called app-47.
const pasted = `queue-020
mail-021
web-006
app-022
build-023
web-010
web-024
app-47
web-025
search-044
cache-045
mail-046
`

// becomes switches the page to a person of the cast.
func (b tab) becomes(name string) {
	b.t.Helper()
	b.script(fmt.Sprintf(`const s = document.querySelector("#user"); s.value = [...s.options].find(o => o.text.startsWith(%q)).value; s.dispatchEvent(new Event("change"))`, name))
	b.eventually(fmt.Sprintf(`document.querySelector("#user").selectedOptions[0].text.startsWith(%q) && document.querySelectorAll(".message").length > 0`, name))
}

// presses clicks the last button of a text in a part of the page.
func (b tab) presses(part, button string) {
	b.t.Helper()
	there := fmt.Sprintf(`[...document.querySelectorAll(%q)].filter(e => e.textContent === %q)`, part+" button", button)
	b.eventually(there + `.length > 0`)
	b.script(there + `.at(-1).click()`)
}

// whole takes a picture of the modal without scrolling, looks at it on a phone, and has axe-core look at it.
func (b tab) whole(name, state string, found *audits) {
	b.t.Helper()
	found.take(b, state)
	b.do(chromedp.EmulateViewport(1200, 2400))
	b.script(`document.querySelector("#modal-blocks").scrollTop = 0`)
	b.picture("#modal", name)
	b.do(chromedp.EmulateViewport(390, 844))
	found.take(b, state+" on a phone")
	assert.LessOrEqual(b.t, b.number(`document.querySelector("#modal-blocks").scrollWidth - document.querySelector("#modal-blocks").clientWidth`), 0, "%s: nothing is cut off on a phone", state)
	b.do(chromedp.EmulateReset())
}

// listByMouse: ben asks for a list of twelve servers, three of which cannot be asked for, and raj approves the others.
func listByMouse(b tab, url string, found *audits) {
	b.do(chromedp.Navigate(url))
	b.eventually(`document.activeElement.id === "composer-input" && document.querySelector(".message") !== null`)
	b.becomes("ben")
	b.do(chromedp.Focus("#composer-input"))
	b.command()
	b.presses("#modal", "Several servers…")
	b.eventually(`document.querySelector("#modal-title").textContent === "Several servers"`)
	b.do(chromedp.SendKeys("#input-names", pasted))
	b.script(`const s = document.querySelector("#input-reason"); s.value = [...s.options].find(o => o.text === "No longer needed").value; s.dispatchEvent(new Event("change"))`)
	b.do(chromedp.SendKeys("#input-content", "The lab moved to Kubernetes. Backups of 20 Nov are kept for a year."))
	b.do(chromedp.Click("#modal-submit"))

	b.eventually(`document.querySelector("#modal-title").textContent === "Review: 9 of 12"`)
	review := b.text(`document.querySelector("#modal-blocks").innerText`)
	assert.Contains(b.t, review, "3 cannot be asked for and are left out:")
	assert.Contains(b.t, review, "9 can be asked for: ")
	assert.Contains(b.t, review, "their drives are wiped")
	b.do(chromedp.SendKeys("[data-block^='count:'] input", "9 servers"))
	b.whole("review.png", "a review", found)
	b.do(chromedp.Click("#modal-submit"))
	b.eventually(`document.querySelector("#modal-blocks").textContent.includes("Asked for 9 servers")`)
	b.do(chromedp.Click("#modal-close"))
	b.eventually(`!document.querySelector("#modal").open`)

	b.becomes("raj")
	b.presses(".message", "Approve…")
	b.eventually(`document.querySelector("#modal-title").textContent === "Approve 9"`)
	b.whole("approval.png", "a list to approve", found)
	b.do(chromedp.Click("#modal-submit"))
	b.eventually(`!document.querySelector("#modal").open`)
	b.eventually(`[...document.querySelectorAll(".message")].some(m => m.textContent.includes("Cancellation requested for 9 servers"))`)
}
