package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/fakeslack"
)

// demo does the main job with no browser: everything that a person does, through
// the control API, over HTTP.
type demo struct {
	client
	limits  limits
	say     func(format string, args ...any) // one step, in plain words
	user    idAndName                        // who types
	channel idAndName                        // where
	server  int64
	name    string // the server's whole name
}

// idAndName is a person or a channel in the workspace.
type idAndName struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	RealName string `json:"real_name"` // a person's
}

// demo does the job once the child has started. It returns nil only if the link arrived and leads
// to the server's only ticket.
func (p play) demo(ctx context.Context, w *world) error {
	select {
	case <-w.bot.begun:
	case <-ctx.Done():
		return fmt.Errorf("waiting for the bot to start: %w", ctx.Err())
	}
	begun := time.Now()
	d := demo{client: newClient(w.url), limits: p.limits, server: w.server}
	defer d.close()
	d.user.ID, d.channel.ID = w.slack.Cast().User, w.slack.Cast().Channel
	d.say = func(format string, args ...any) {
		fmt.Fprintf(p.stdout, "[%5.1f s] %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
	}
	return d.perform(ctx)
}

func (d *demo) perform(ctx context.Context) error {
	if err := d.learnNames(ctx); err != nil {
		return err
	}
	f, err := d.openModal(ctx)
	if err != nil {
		return err
	}
	f, chosen, err := d.chooseServer(ctx, f)
	if err != nil {
		return err
	}
	if err := d.submit(ctx, f, chosen); err != nil {
		return err
	}
	link, err := d.awaitLink(ctx)
	if err != nil {
		return err
	}
	return d.checkTicket(ctx, link)
}

// learnNames asks for the names of the people and things in the demo.
func (d *demo) learnNames(ctx context.Context) error {
	var workspace struct {
		Users    []idAndName `json:"users"`
		Channels []idAndName `json:"channels"`
	}
	if err := d.get(ctx, "/control/workspace", &workspace); err != nil {
		return err
	}
	for _, n := range slices.Concat(workspace.Users, workspace.Channels) {
		switch n.ID {
		case d.user.ID:
			d.user = n
		case d.channel.ID:
			d.channel = n
		}
	}
	var servers []struct {
		ID   int64  `json:"id"`
		FQDN string `json:"fullyQualifiedDomainName"`
	}
	if err := d.get(ctx, "/control/servers?q="+strconv.FormatInt(d.server, 10), &servers); err != nil {
		return err
	}
	for _, s := range servers {
		if s.ID == d.server {
			d.name = s.FQDN
		}
	}
	if d.name == "" {
		return fmt.Errorf("looking for server %d: the account does not have it", d.server)
	}
	return nil
}

// openModal types the command and waits for what it opens.
func (d *demo) openModal(ctx context.Context) (form, error) {
	typed := fakeslack.Command{User: d.user.ID, Channel: d.channel.ID, Command: "/cancel-server"}
	ack, err := d.act(ctx, "/control/command", typed)
	if err != nil {
		return form{}, err
	}
	d.say("%s types %s in #%s; the bot acknowledges it in %d ms.", d.user.RealName, typed.Command, d.channel.Name, ack.MS)
	f, err := d.awaitForm(ctx, "the modal to open", func(f form) bool { _, ok := f.input(isTypeahead); return ok })
	if err != nil {
		return form{}, err
	}
	d.say("The modal %q opens.", f.Title.Text)
	return f, nil
}

// chooseServer picks the server in the typeahead, and waits for the card that asks for its name.
func (d *demo) chooseServer(ctx context.Context, f form) (form, map[string]any, error) {
	b, _ := f.input(isTypeahead)
	host, _, _ := strings.Cut(d.name, ".")
	var offered struct {
		Options []map[string]any `json:"options"`
		Error   string           `json:"error"`
	}
	lookup := fakeslack.Lookup{User: d.user.ID, View: f.id, BlockID: b.BlockID, ActionID: b.Element.ActionID, Value: host}
	if err := d.post(ctx, "/control/options", lookup, &offered); err != nil {
		return form{}, nil, err
	}
	i := slices.IndexFunc(offered.Options, func(o map[string]any) bool { return strings.Contains(optionText(o), host) })
	if i < 0 {
		return form{}, nil, fmt.Errorf("typing %q into %q: %s is not among the %d servers offered %s", host, b.Label.Text, d.name, len(offered.Options), offered.Error)
	}
	chosen := offered.Options[i]
	d.say("Typing %q into %q offers %d of the servers; %q is chosen.", host, b.Label.Text, len(offered.Options), optionText(chosen))
	choice := fakeslack.Action{User: d.user.ID, View: f.id, BlockID: b.BlockID, ActionID: b.Element.ActionID, SelectedOption: chosen}
	if _, err := d.act(ctx, "/control/action", choice); err != nil {
		return form{}, nil, err
	}
	f, err := d.awaitForm(ctx, "the card of "+d.name, func(f form) bool {
		_, confirms := f.input(isOneLine)
		return confirms && f.shows(d.name)
	})
	if err != nil {
		return form{}, nil, err
	}
	d.say("The card of %s (id %d) is shown, and asks for the server's name.", d.name, d.server)
	return f, chosen, nil
}

// submit fills the form and presses its button.
func (d *demo) submit(ctx context.Context, f form, chosen map[string]any) error {
	values, err := f.fill(filling{
		server: chosen, reason: "No longer needed", confirm: d.name,
		content: "The sandbox's demo: nothing runs here any more. Its last backup is kept for a year.",
	})
	if err != nil {
		return err
	}
	if f.Submit == nil {
		return fmt.Errorf("filling the modal %q: it has no button", f.Title.Text)
	}
	ack, err := d.act(ctx, "/control/submit", fakeslack.Submission{User: d.user.ID, View: f.id, Values: values})
	if err != nil {
		return err
	}
	if err := refusal(ack); err != nil {
		return err
	}
	d.say("Reason, content and the name are filled in; %s presses %q; the bot accepts in %d ms.", d.user.RealName, f.Submit.Text, ack.MS)
	return nil
}

// act does something that the bot has to acknowledge.
func (d *demo) act(ctx context.Context, path string, body any) (fakeslack.Ack, error) {
	var ack fakeslack.Ack
	if err := d.post(ctx, path, body, &ack); err != nil {
		return ack, err
	}
	if ack.Status != 200 || ack.Error != "" {
		return ack, fmt.Errorf("waiting for the bot's answer to %s: status %d %s", path, ack.Status, ack.Error)
	}
	return ack, nil
}

// awaitForm waits until the person's top view is the wanted one.
func (d *demo) awaitForm(ctx context.Context, what string, fits func(form) bool) (form, error) {
	var top form
	err := eventually(ctx, d.limits.step, func() (bool, error) {
		var views []fakeslack.View
		err := d.get(ctx, "/control/views?user="+url.QueryEscape(d.user.ID), &views)
		if err != nil || len(views) == 0 {
			return false, err
		}
		top, err = readForm(views[len(views)-1])
		return err == nil && fits(top), err
	})
	if errors.Is(err, errNever) {
		return form{}, fmt.Errorf("waiting %v for %s: the view shows %q, and %s", d.limits.step, what, top.words(), d.lastWords(ctx))
	}
	return top, err
}

// looking is how often the demo checks what it waits for.
const looking = 30 * time.Millisecond

var errNever = errors.New("it did not happen in time")

// eventually checks again and again until the condition holds, it fails, or the time is over.
func eventually(ctx context.Context, limit time.Duration, holds func() (bool, error)) error {
	over := time.After(limit)
	for {
		if ok, err := holds(); ok || err != nil {
			return err
		}
		select {
		case <-time.After(looking):
		case <-over:
			return errNever
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
