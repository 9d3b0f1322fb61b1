import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { connect } from "./lib/live";

connect();
mount(App, { target: document.getElementById("app") as HTMLElement });
