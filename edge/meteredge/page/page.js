// The page is kept as the server sees it: each event brings the whole of <main>.
const live = document.getElementById("live");
const source = new EventSource("events");
source.onmessage = (event) => {
  document.querySelector("main").innerHTML = JSON.parse(event.data);
  live.textContent = "live";
};
source.onerror = () => {
  live.textContent = "not connected: what you see may be old";
};
