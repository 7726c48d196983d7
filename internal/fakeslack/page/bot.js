// What is true of the bot: whether it can be reached and whether its process is up,
// and the button that kills and starts it.
import { get, post } from "./control.js";

const field = (id) => document.getElementById(id);
const toggle = field("bot-toggle");
let process = null; // as GET bot has it; null where this page has no bot to steer
let problem = ""; // why the last press did not work

// look asks for the process.
export async function look() {
  const answer = await get("bot");
  process = answer.error ? null : answer;
}

// isDown tells whether the process has ended.
export const isDown = () => process !== null && !process.up && process.exit !== null;

// isComing tells whether the process has not begun yet.
const isComing = () => process !== null && !process.up && process.exit === null;

export function drawBot(connected) {
  state(words(connected), connected && !isDown());
  toggle.hidden = process === null || isComing();
  toggle.textContent = process?.up ? "Kill bot" : "Start bot";
  trouble([problem, isDown() ? ended() : ""].join(" ").trim(), process?.last);
}

// drawGone says that nobody answers any more, this page's own server included.
export function drawGone() {
  state("sandbox not running", false);
  toggle.hidden = true;
  trouble("The sandbox does not answer: it has ended, or is busy. This page continues when the sandbox is back.", "");
}

const ended = () => `The bot is not running: it ended with exit code ${process.exit} at ${clock(process.since)}. Commands fail until it is started.`;

function words(connected) {
  if (isDown()) return `bot not running (exit code ${process.exit})`;
  if (isComing()) return "building and starting the bot: the first time, this takes minutes";
  return connected ? "bot connected" : "bot not connected";
}

function state(text, good) {
  if (field("bot-state").textContent !== text) field("bot-state").textContent = text;
  field("bot-state").classList.toggle("good", good);
}

function trouble(text, last) {
  const box = field("bot-trouble");
  box.hidden = !text;
  box.querySelector("p").textContent = text;
  box.querySelector("details").hidden = !last;
  box.querySelector("pre").textContent = last ?? "";
}

const clock = (time) => new Date(time).toLocaleTimeString("en-GB");

toggle.addEventListener("click", async () => {
  if (toggle.ariaBusy === "true") return;
  toggle.ariaBusy = "true";
  const answer = await post("bot", { do: process.up ? "kill" : "start" });
  toggle.ariaBusy = "false";
  problem = answer.error ? `That did not work: ${answer.error}.` : "";
  if (problem) trouble(problem, "");
});
