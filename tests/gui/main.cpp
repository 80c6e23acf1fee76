// Catch2 with a QApplication around it: widgets need one, and it must outlive every test.
#define CATCH_CONFIG_RUNNER
#include <QApplication>
#include <catch2/catch.hpp>

#include "gui/theme.hpp"

int main(int argc, char** argv) {
    if (qEnvironmentVariableIsEmpty("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    QApplication application{argc, argv};
    alleycat::gui::theme::apply(application);
    return Catch::Session().run(argc, argv);
}
