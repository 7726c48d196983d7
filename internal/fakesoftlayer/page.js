// The form on a ticket's page: it sends what staff do as JSON, which no form of another page can
// send, and then shows the ticket as it is.
document.addEventListener("submit", async (event) => {
	const form = event.target.closest("form.staff");
	if (!form) {
		return;
	}
	event.preventDefault();
	const order = { ticket: Number(form.dataset.ticket), do: event.submitter.value, text: form.elements.text.value.trim() };
	if (form.elements.waits.checked && order.text && (order.do === "answer" || order.do === "reopen")) {
		order.waits_for_customer = true;
	}
	const answer = await fetch(form.action, {
		method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(order),
	});
	if (!answer.ok) {
		form.querySelector("[role=alert]").textContent = (await answer.json()).error;
		return;
	}
	const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
	document.querySelector("main").replaceWith(page.querySelector("main"));
});
