// Who this page is and where it stands. Both are in the URL, so that a reload, a
// link and the Back button keep them. What was typed and not sent is kept for this
// tab, so that a reload does not lose it.

// direct is the channel of the person's direct messages with the app.
export const direct = "direct";

// home is the Home tab of the app, for an app that has one.
export const home = "home";

const tabs = (workspace) => (workspace.manifest.home_tab ? [direct, home] : [direct]);

export const place = { user: null, channel: null };

// settle reads the place from the URL. A person or channel that this workspace does
// not have, or that the person cannot see, becomes the first one of the cast.
export function settle(workspace) {
  const asked = new URL(location.href).searchParams;
  const people = workspace.users.filter((u) => !u.is_bot);
  place.user = people.find((u) => u.id === asked.get("user"))?.id ?? workspace.cast.user;
  const open = visible(workspace).map((c) => c.id).concat(tabs(workspace));
  place.channel = open.find((id) => id === asked.get("channel")) ?? workspace.cast.channel;
  if (address(place).href !== location.href) history.replaceState(null, "", address(place));
}

// go moves to another person or channel.
export function go(there) {
  Object.assign(place, there);
  if (address(place).href !== location.href) history.pushState(null, "", address(place));
}

function address({ user, channel }) {
  const url = new URL(location.href);
  url.searchParams.set("user", user);
  url.searchParams.set("channel", channel);
  return url;
}

// visible are the channels that the person can see.
export const visible = (workspace) => workspace.channels.filter((c) => !c.is_private || c.members.includes(place.user));

// channelID is the channel as the control routes take it.
export const channelID = () => ([direct, home].includes(place.channel) ? place.user : place.channel);

// keep stores a value for this tab under a name; without a value it forgets it.
export function keep(name, value) {
  if (value) sessionStorage.setItem(name, JSON.stringify(value));
  else sessionStorage.removeItem(name);
}

export const kept = (name) => JSON.parse(sessionStorage.getItem(name) ?? "null");

// forgetOthers drops what was kept of an earlier sandbox at the same address.
export function forgetOthers(since) {
  if (kept("sandbox") === since) return;
  sessionStorage.clear();
  keep("sandbox", since);
}
