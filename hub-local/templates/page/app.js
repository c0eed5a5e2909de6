// The page: joins the hub under a name, sends messages, and shows what the hub calls.

const status = document.getElementById("status");
const error = document.getElementById("error");
const log = document.getElementById("log");
const [joinForm, sayForm] = document.forms;

let connection;

/** Adds a line. User input is inserted as text, never as markup. */
function show(text) {
  const line = document.createElement("li");
  line.textContent = text;
  log.append(line);
  line.scrollIntoView();
}

function connect(user) {
  const connection = new signalR.HubConnectionBuilder()
    .withUrl(`/chat?user=${encodeURIComponent(user)}`)
    // Without end, until the page is closed.
    .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => 1000 })
    // The level below logs URLs with access tokens.
    .configureLogging(signalR.LogLevel.Warning)
    .build();
  connection.on("joined", (user) => show(`${user} joined`));
  connection.on("left", (user) => show(`${user} left`));
  connection.on("said", (message) => show(`${message.user}: ${message.text}`));
  connection.onreconnecting(() => (status.textContent = "Reconnecting…"));
  connection.onreconnected(() => (status.textContent = "Connected"));
  connection.onclose(() => (status.textContent = "Closed: reload the page"));
  return connection;
}

/** Runs an action of a form, and shows its error. */
function onSubmit(form, action) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    error.textContent = "";
    try {
      await action();
    } catch (failure) {
      error.textContent = failure.message;
    }
  });
}

onSubmit(joinForm, async () => {
  const user = joinForm.elements.user.value.trim();
  if (!user) throw new Error("Enter a name.");
  connection = connect(user);
  await connection.start();
  status.textContent = "Connected";
  joinForm.hidden = true;
  sayForm.hidden = false;
  sayForm.elements.text.focus();
});

onSubmit(sayForm, async () => {
  await connection.invoke("say", sayForm.elements.text.value);
  sayForm.reset();
});
