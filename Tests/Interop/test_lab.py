"""The lab page: what a person sees of sessions, and the states in which something is wrong."""

import contextlib

import pytest
from selenium.common.exceptions import ElementNotInteractableException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from lab import Lab

WIDTHS = [380, 1600]
SCHEMES = ["light", "dark"]


@pytest.fixture
def lab(browser, server):
    return Lab(browser, server.page)


@pytest.fixture
def resize(browser):
    def to(width: int) -> None:
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    yield to
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture
def prefer(browser):
    def scheme(name: str) -> None:
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": name}]})
    yield scheme
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_address_and_hash_are_filled_in(lab, server):
    assert lab.value("url") == server.https("/echo")
    assert server.sha256 in lab.value("hashes")
    lab.choose("transport", "websocket")
    assert lab.value("url") == server.ws("/echo")


def test_the_scheme_of_the_address_chooses_the_transport(lab, server):
    lab.fill("url", server.ws("/echo"))
    lab.connect()
    assert lab.status.startswith("WebSocket")


def test_datagrams_and_streams_are_sent_and_logged(lab):
    lab.connect()
    lab.choose("kind", "bidirectional")
    lab.send("both ways")
    lab.expect_log("bidirectional", "received", "both ways")
    lab.choose("kind", "unidirectional")
    lab.send("one way")
    lab.expect_log("unidirectional", "received", "one way")
    lab.choose("kind", "datagram")
    lab.send("a swift")
    lab.expect_log("datagram", "sent", "a swift")
    # A datagram may be lost: sent again until one returns.
    lab.wait(lambda: lab["send"].click() or any("a swift" in line for line in lab.log("datagram", "received")),
             "a datagram came back")


def test_a_stream_kept_open_takes_more_messages_and_can_be_reset(lab):
    lab.connect()
    lab.choose("kind", "bidirectional")
    lab["keep-open"].click()
    lab.send("first")
    lab.expect_log("bidirectional", "received", "first")
    lab.send("second")
    lab.expect_log("bidirectional", "received", "second")
    assert lab["held-name"].text == "bidi 1"
    lab["reset-stream"].click()
    lab.expect_log("state", "local", "code 7")
    lab.wait(lambda: not lab["held-tools"].is_displayed(), "the stream is gone")
    assert lab.state == "open"


def test_a_datagram_that_does_not_fit_is_not_sent(lab):
    lab.connect()
    lab.fill("pad", 70000)
    lab["send"].click()
    lab.wait(lambda: lab["send-error"].is_displayed(), "the error is shown")
    assert "do not fit a datagram" in lab["send-error"].text
    assert lab.log("datagram") == []


def test_websocket_messages_keep_their_kind(lab):
    lab.choose("transport", "websocket")
    lab.connect()
    lab.send("words")
    lab.expect_log("message", "received", "text: words")
    lab.choose("kind", "binary")
    lab.send("bytes")
    lab.expect_log("message", "received", "binary: bytes")


@pytest.mark.parametrize("transport", ["webtransport", "websocket"])
def test_close_by_the_server_shows_code_reason_and_who(lab, transport):
    lab.choose("transport", transport)
    lab.endpoint("Close: 4242 “bye”")
    lab.connect(until="closed")
    assert lab.status == "Closed by the server with code 4242 and reason “bye”."


@pytest.mark.parametrize("transport", ["webtransport", "websocket"])
def test_close_by_the_page_shows_code_reason_and_who(lab, transport):
    lab.choose("transport", transport)
    lab.connect()
    lab.fill("close-code", 3007)
    lab.fill("close-reason", "enough")
    lab["close-form"].submit()
    lab.wait(lambda: lab.state == "closed", "closed")
    assert lab.status == "Closed by this page with code 3007 and reason “enough”."


def test_log_filters_by_kind_and_text_and_clears(lab):
    lab.connect()
    lab.choose("kind", "bidirectional")
    for word in ("alpha", "beta"):
        lab.send(word)
        lab.expect_log("bidirectional", "received", word)
    lab.fill("log-search", "ALPHA")
    assert len(lab.all("#log li")) == 2
    assert "2 of" in lab["log-count"].text
    lab.fill("log-search", "")
    lab["log-search"].send_keys(Keys.SPACE, Keys.BACKSPACE)
    lab.all('#log-kinds input[value="bidirectional"]')[0].click()
    assert lab.log("bidirectional") == [] and lab.log("state") != []
    lab["log-clear"].click()
    assert lab.all("#log li") == []


def test_source_is_counted_and_not_kept(lab):
    lab.endpoint("Source: sends 64 KiB")
    lab["connect"].click()
    lab.expect_log("unidirectional", "received", "opened by the server")
    assert len(lab.log("unidirectional")[0]) < 300


# What is wrong, and what the page says of it.


def test_unknown_path_is_told_from_other_refusals(lab, server):
    lab.fill("url", server.https("/nowhere"))
    lab["connect"].click()
    lab.wait(lambda: lab.cause == "path-refused", "the path is named as the cause")
    assert lab.state == "failed" and "path" in lab.status
    assert "/echo" in lab["advice"].text


def test_wrong_hash_is_told_from_other_refusals(lab):
    lab["hash-details"].find_element(By.TAG_NAME, "summary").click()
    lab.fill("hashes", "00" * 32)
    lab["connect"].click()
    lab.wait(lambda: lab.cause == "hash-mismatch", "the hash is named as the cause")
    lab["reload-hashes"].click()
    lab.wait(lambda: "00000000" not in lab.value("hashes"), "the hash was loaded again")
    lab.connect()


@pytest.mark.parametrize("transport", ["webtransport", "websocket"])
def test_a_refused_origin_is_told_from_other_refusals(browser, server, transport):
    """127.0.0.1 and localhost are one machine but two hosts, and so two origins."""
    lab = Lab(browser, server.page.replace("localhost", "127.0.0.1"))
    lab.fill("url", server.https("/echo") if transport == "webtransport" else server.ws("/echo"))
    lab["connect"].click()
    lab.wait(lambda: lab.cause == "origin-refused", "the origin is named as the cause")
    assert "--allow-origin" in lab["advice"].text


def test_closed_udp_port_is_told_from_other_refusals(lab, server):
    """The page's own host on a port where nothing listens: nothing can be concluded from this server."""
    lab.fill("url", "https://localhost:9/echo")
    lab["connect"].click()
    lab.wait(lambda: lab.cause == "foreign-server", "the address is named as foreign")


def test_an_address_that_no_session_can_have_is_not_tried(lab):
    lab.fill("url", "ftp://localhost/echo")
    lab["connect"].click()
    assert lab.state == "invalid"
    assert lab["url"].get_attribute("aria-invalid") == "true"


@pytest.mark.parametrize("transport", ["webtransport", "websocket"])
def test_a_server_that_vanishes_is_said_to_be_gone(browser, own_server, transport):
    lab = Lab(browser, own_server.page)
    lab.choose("transport", transport)
    lab.connect()
    own_server.kill()
    if transport == "webtransport":
        # Nobody says goodbye on UDP: the browser notices when it sends. When QUIC had something to send by itself, the
        # page may have ended the session before the button is pressed.
        with contextlib.suppress(ElementNotInteractableException):
            lab["send"].click()
    # The browser gives the connection up after 30 s.
    lab.wait(lambda: lab.cause == "server-down", "the page noticed", timeout=150)
    assert lab.state == "lost" and "no longer answers" in lab.status
    assert "scripts/run" in lab["advice"].text
    assert "does not answer" in lab["server-facts"].text


def test_a_server_that_stops_in_order_ends_the_session(browser, own_server):
    lab = Lab(browser, own_server.page)
    lab.choose("transport", "websocket")
    lab.connect()
    own_server.stop()
    lab.wait(lambda: lab.state in ("closed", "lost") and lab.status != "Finding out why…", "the page noticed")


def test_without_webtransport_the_page_says_so_and_offers_websocket(browser, server):
    script = browser.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument", {"source": "delete globalThis.WebTransport;"})
    try:
        lab = Lab(browser, server.page)
        lab.wait(lambda: lab["environment"].is_displayed(), "the note is shown")
        assert "no WebTransport" in lab["environment"].text
        lab.wait(lambda: lab.value("url") == server.ws("/echo"), "WebSocket is chosen")
        lab.connect()
        lab.compare(messages=10, warm_up=2, connections=1)
        assert list(lab.rows("round-trips")) == ["ws"]
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)


# Everyone can use it.


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_overflows_sideways(browser, server, resize, width):
    resize(width)
    lab = Lab(browser, server.page)
    lab["hash-details"].find_element(By.TAG_NAME, "summary").click()
    lab.connect()
    lab.choose("kind", "bidirectional")
    lab["keep-open"].click()
    lab.send("x" * 300)
    lab.expect_log("bidirectional", "received", "xxx")
    lab.compare(messages=20, warm_up=2, connections=1, rounds=2)
    assert_nothing_overflows(browser)
    lab.scenario("head-of-line")
    lab.compare(seconds=0.2, rounds=1)
    assert_nothing_overflows(browser)


def assert_nothing_overflows(browser):
    overflowing = browser.execute_script("""
        return Array.from(document.querySelectorAll("body *"))
          .filter((item) => item.getBoundingClientRect().right > innerWidth + 0.5 && !item.closest(".visually-hidden"))
          .map((item) => `${item.tagName}#${item.id}.${item.getAttribute("class")}`);""")
    assert overflowing == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_has_contrast_in_light_and_dark(browser, server, prefer, scheme):
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text against what lies behind it."""
    prefer(scheme)
    lab = Lab(browser, server.page)
    lab.connect()
    lab.scenario("head-of-line")
    lab.compare(seconds=0.2, rounds=1)
    # Colours fade for a moment after a change of state; the end of every animation is awaited.
    poor = browser.execute_async_script("""
        const [done] = arguments;
        const channels = (color) => {
          const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
          canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
          return canvas.getImageData(0, 0, 1, 1).data;
        };
        const luminance = (color) => {
          const [r, g, b] = Array.from(channels(color)).slice(0, 3).map((value) => value / 255)
            .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const behind = (item) => {
          for (let at = item; at !== null; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if (channels(color)[3] === 255) return color;
          }
          return "white";
        };
        Promise.allSettled(document.getAnimations().map((animation) => animation.finished)).then(() => {
          const texts = Array.from(document.querySelectorAll("body *")).filter((item) => item.checkVisibility()
            && !item.closest(":disabled") && !item.matches(":disabled + span")
            && Array.from(item.childNodes).some((node) => node.nodeType === 3 && node.textContent.trim() !== ""));
          done(texts.map((item) => {
            const style = getComputedStyle(item);
            const color = item instanceof SVGElement ? style.fill : style.color;
            const [light, dark] = [luminance(color), luminance(behind(item))].sort((a, b) => b - a);
            return { ratio: (light + 0.05) / (dark + 0.05), text: item.textContent.trim().slice(0, 30) };
          }).filter(({ ratio }) => ratio < 4.5));
        });""")
    assert poor == []
    dark = browser.execute_script("return getComputedStyle(document.documentElement).backgroundColor")
    assert (dark == "rgb(19, 21, 24)") == (scheme == "dark")


def test_everything_is_reached_by_keyboard_and_shows_its_focus(lab, browser):
    lab.connect()
    browser.execute_script("document.querySelector('.skip').focus()")
    reached, invisible = [], []
    for _ in range(60):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        name, outlined = browser.execute_script("""
            const item = document.activeElement;
            const shown = item.matches(".segments input, .chips input") ? item.nextElementSibling : item;
            const name = item.id || `${item.closest("[id]")?.id ?? item.tagName} ${item.value ?? item.className}`;
            return [name, getComputedStyle(shown).outlineStyle !== "none"];""")
        if name.startswith(("BODY", "HTML", "A skip")):
            break
        reached.append(name)
        if not outlined:
            invisible.append(name)
    expected = {"endpoint", "url", "close-code", "message", "send", "log-search", "log-scroll", "scenario", "messages",
                "run", "connect-form webtransport", "send-kinds datagram", "log-kinds datagram"}
    assert expected <= set(reached), expected - set(reached)
    assert invisible == []


def test_session_can_be_used_without_a_pointer(lab, browser):
    lab["url"].send_keys(Keys.ENTER)
    lab.wait(lambda: lab.state == "open", "Enter connects")
    lab.all('input[name="kind"]:checked')[0].send_keys(Keys.ARROW_RIGHT)
    lab["message"].send_keys(Keys.ENTER)
    lab.expect_log("bidirectional", "received", "Hello, swift")


def test_every_control_has_a_name_and_the_status_is_announced(lab, browser):
    nameless = browser.execute_script("""
        return Array.from(document.querySelectorAll("input, select, textarea, button, progress"))
          .filter((item) => !(item.labels?.length || item.textContent.trim() || item.getAttribute("aria-label")))
          .map((item) => item.outerHTML);""")
    assert nameless == []
    assert lab.all(".status-line")[0].get_attribute("aria-live") == "polite"
    assert lab["run-status"].get_attribute("aria-live") == "polite"


def test_nothing_is_loaded_from_elsewhere(lab, browser, server):
    """Resources come from this server; the one `data:` address is the empty icon."""
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert len(loaded) > 10
    assert [name for name in loaded if not name.startswith((server.page, "data:"))] == []
