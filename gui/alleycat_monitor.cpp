// alleycat-monitor: a feed in a thread of its own, a window that looks at what the feed leaves in a box.

#include <QApplication>
#include <QDir>
#include <QTimer>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>

#include "daq/core/error.hpp"
#include "daq/core/shutdown.hpp"
#include "daq/core/worker.hpp"
#include "daq/wire/security.hpp"
#include "gui/dashboard.hpp"
#include "gui/feed.hpp"
#include "gui/options.hpp"
#include "gui/theme.hpp"

namespace alleycat::gui {
namespace {

using Clock = std::chrono::steady_clock;

bool in_environment(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr && *value != '\0';
}

/// Where Qt would abort (a display that does not answer), end with a line and a status instead.
void on_qt_message(QtMsgType type, const QMessageLogContext&, const QString& message) {
    if (type == QtDebugMsg || type == QtInfoMsg) return;
    if (type != QtFatalMsg) {
        // Qt's own remarks about the platform ("does not support propagateSizeHints") tell an operator nothing.
        if (in_environment("ALLEYCAT_QT_MESSAGES")) std::fprintf(stderr, "alleycat-monitor: %s\n", qPrintable(message));
        return;
    }
    std::fprintf(stderr,
                 "alleycat-monitor: the display cannot be used (DISPLAY, WAYLAND_DISPLAY, QT_QPA_PLATFORM): %s\n",
                 qPrintable(message.section('\n', 0, 0)));
    std::_Exit(EXIT_FAILURE);
}

/// A screenshot needs no display; a window does. QApplication would abort without one.
void choose_platform(const Options& options) {
    if (in_environment("QT_QPA_PLATFORM")) return;
    if (options.screenshot) {
        qputenv("QT_QPA_PLATFORM", "offscreen");
        if (!in_environment("XDG_RUNTIME_DIR")) qputenv("XDG_RUNTIME_DIR", QDir::tempPath().toUtf8());
    } else if (!in_environment("DISPLAY") && !in_environment("WAYLAND_DISPLAY")) {
        throw Error{"there is no display (DISPLAY and WAYLAND_DISPLAY are not set); --screenshot OUT.png needs none"};
    }
}

/// The feed's thread. Files are opened here and now, so that a wrong name ends the program at once.
std::unique_ptr<Worker> start_feed(const Options& options, SnapshotBox<FeedState>& box) {
    if (!options.files.empty()) {
        auto feed = std::make_shared<FileFeed>(options.files, box);
        return std::make_unique<Worker>("feed", [feed](std::stop_token stop) {
            while (!stop.stop_requested() && feed->step()) {
            }
        });
    }
    MonitorClient::Config config;
    config.monitor_endpoint = options.monitor_endpoint;
    config.control_endpoint = options.control_endpoint;
    if (!options.public_key.empty()) config.security.server_public_key = load_public_key(options.public_key);
    auto feed = std::make_shared<LiveFeed>(config, box);
    return std::make_unique<Worker>("feed", [feed](std::stop_token stop) {
        while (!stop.stop_requested()) feed->step();
    });
}

/// Whether what is there is enough for a screenshot.
bool enough(const FeedState& feed, const Options& options, Clock::duration waited) {
    if (waited < std::chrono::duration<double>{options.after_s}) return false;
    if (!feed.live) return feed.ended && feed.problem.empty();
    if (options.wait_for == 0) return true;
    return feed.snapshot && feed.snapshot->events >= options.wait_for && feed.snapshot->waveform &&
           feed.snapshot->status;
}

std::string why_not(const FeedState& feed, const Options& options) {
    const std::string limit = std::to_string(static_cast<long>(options.timeout_s)) + " s";
    if (!feed.live) return feed.source + ": not read to its end within " + limit;
    if (!feed.problem.empty()) return feed.problem;
    if (!feed.connected) return "no connection to " + feed.source + " within " + limit;
    const std::uint64_t events = feed.snapshot ? feed.snapshot->events : 0;
    if (events < options.wait_for) {
        return feed.source + ": " + std::to_string(events) + " of " + std::to_string(options.wait_for) +
               " events within " + limit;
    }
    return feed.source + ": events, but no status or no waveform within " + limit;
}

int run(const Options& options, int& argc, char** argv) {
    const ShutdownSignals end_asked;  // before any thread
    choose_platform(options);
    SnapshotBox<FeedState> box;
    qInstallMessageHandler(on_qt_message);
    QApplication application{argc, argv};
    QApplication::setApplicationName(QStringLiteral("alleycat-monitor"));
    theme::apply(application);
    const std::unique_ptr<Worker> feed = start_feed(options, box);

    Dashboard window{box};
    window.resize(options.width, options.height);
    window.set_hide_residual(options.hide_residual);
    window.show();
    window.start();

    const Clock::time_point start = Clock::now();
    std::string failure;
    bool saved = false;
    QTimer watch;
    QObject::connect(&watch, &QTimer::timeout, [&] {
        if (end_asked.stop().stop_requested()) {
            if (options.screenshot && !saved) failure = "interrupted before the screenshot";
            QApplication::quit();
            return;
        }
        // A screen that stands still must not look alive. What could be read of a broken file stays on the screen.
        if (feed->failed() && (options.screenshot || options.files.empty())) {
            QApplication::quit();
            return;
        }
        if (!options.screenshot || saved) return;
        const std::shared_ptr<const FeedState> state = box.get();
        const auto waited = Clock::now() - start;
        if (enough(*state, options, waited)) {
            saved = true;
            window.refresh(utc_now());
            try {
                window.save_screenshot(QString::fromStdString(*options.screenshot));
            } catch (const Error& error) {
                failure = error.what();
            }
            QApplication::quit();
        } else if (waited > std::chrono::duration<double>{options.timeout_s}) {
            failure = why_not(*state, options);
            QApplication::quit();
        }
    });
    watch.start(50);
    QApplication::exec();

    feed->request_stop();
    feed->finish();
    if (!failure.empty()) throw Error{failure};
    return EXIT_SUCCESS;
}

}  // namespace
}  // namespace alleycat::gui

int main(int argc, char** argv) {
    using namespace alleycat;
    const auto parsed = gui::parse_command_line(argc, argv);
    if (const int* status = std::get_if<int>(&parsed)) return *status;
    try {
        return gui::run(std::get<gui::Options>(parsed), argc, argv);
    } catch (const UsageError& error) {
        std::fprintf(stderr, "alleycat-monitor: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "alleycat-monitor: %s\n", error.what());
        return EXIT_FAILURE;
    }
}
