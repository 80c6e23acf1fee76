#include "daq/store/catalogue.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <bit>
#include <cerrno>
#include <string_view>

#include "daq/store/files.hpp"

namespace alleycat {
namespace {

constexpr int kBusyTimeoutMs = 5000;
constexpr const char* kSchema = R"(
    CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, profile TEXT, software TEXT, host TEXT, start_utc_ns INTEGER,
        state TEXT, reason TEXT, last_ordinal INTEGER, last_sequence INTEGER);
    CREATE TABLE IF NOT EXISTS parts (file TEXT PRIMARY KEY, run INTEGER, part INTEGER, sha256 TEXT, bytes INTEGER,
        first_sequence INTEGER, last_sequence INTEGER, triggers INTEGER, start_utc_ns INTEGER, end_utc_ns INTEGER,
        state TEXT);)";
constexpr std::string_view kRunColumns =
    "run, profile, software, host, start_utc_ns, state, reason, last_ordinal, last_sequence";
constexpr std::string_view kPartColumns =
    "file, run, part, sha256, bytes, first_sequence, last_sequence, triggers, start_utc_ns, end_utc_ns, state";

}  // namespace

/// The connection; SQLite's integers are signed, so kNoSequence stands as -1.
class Catalogue::Database {
  public:
    Database(std::filesystem::path path, Open how) : path_{std::move(path)} {
        const int flags = how == Open::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
        if (sqlite3_open_v2(path_.c_str(), &db_, flags, nullptr) != SQLITE_OK) {
            const std::string why = db_ != nullptr ? sqlite3_errmsg(db_) : "no memory";
            sqlite3_close(db_);
            throw Error{fmt::format("{}: cannot be opened: {}", path_.string(), why)};
        }
        sqlite3_busy_timeout(db_, kBusyTimeoutMs);
        if (how == Open::write &&
            (sqlite3_exec(db_, "PRAGMA synchronous = FULL", nullptr, nullptr, nullptr) != SQLITE_OK ||
             sqlite3_exec(db_, kSchema, nullptr, nullptr, nullptr) != SQLITE_OK)) {
            const std::unique_ptr<sqlite3, decltype(&sqlite3_close)> closing{db_, sqlite3_close};
            fail(fmt::format("cannot be used as a catalogue: {}", sqlite3_errmsg(db_)));
        }
    }
    ~Database() { sqlite3_close(db_); }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    [[noreturn]] void fail() const { fail(sqlite3_errmsg(db_)); }
    /// What the disk refused is not what the file is wrong with.
    [[noreturn]] void fail(const std::string& why) const {
        const std::string sentence = fmt::format("{}: {}", path_.string(), why);
        switch (sqlite3_errcode(db_)) {
            case SQLITE_FULL: throw DiskError{sentence, ENOSPC};
            case SQLITE_IOERR: throw DiskError{sentence, EIO};
            case SQLITE_READONLY: throw DiskError{sentence, EROFS};
            default: throw Error{sentence};
        }
    }

    /// A prepared statement; `?` are bound in order.
    class Statement {
      public:
        Statement(const Database& database, std::string_view sql) : database_{&database} {
            if (sqlite3_prepare_v2(database.db_, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr) !=
                SQLITE_OK)
                database.fail();
        }
        ~Statement() { sqlite3_finalize(statement_); }
        Statement(const Statement&) = delete;
        Statement& operator=(const Statement&) = delete;

        Statement& bind(const std::string& text) {
            sqlite3_bind_text(statement_, ++bound_, text.c_str(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
            return *this;
        }
        Statement& bind(std::uint64_t value) { return bind(std::bit_cast<std::int64_t>(value)); }
        Statement& bind(std::int64_t value) {
            sqlite3_bind_int64(statement_, ++bound_, value);
            return *this;
        }
        /// true: there is a row.
        bool step() {
            switch (sqlite3_step(statement_)) {
                case SQLITE_ROW: read_ = 0; return true;
                case SQLITE_DONE: return false;
                default: database_->fail();
            }
        }
        void get(std::string& text) {
            const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, read_++));
            text = bytes != nullptr ? bytes : "";
        }
        void get(std::uint64_t& value) {
            value = std::bit_cast<std::uint64_t>(std::int64_t{sqlite3_column_int64(statement_, read_++)});
        }
        void get(std::int64_t& value) { value = sqlite3_column_int64(statement_, read_++); }
        void get(std::uint32_t& value) {
            value = static_cast<std::uint32_t>(sqlite3_column_int64(statement_, read_++));
        }

      private:
        const Database* database_;
        sqlite3_stmt* statement_ = nullptr;
        int bound_ = 0, read_ = 0;
    };

    static CataloguePart read_part(Statement& s) {
        CataloguePart p;
        s.get(p.file), s.get(p.run), s.get(p.part), s.get(p.sha256), s.get(p.bytes), s.get(p.first_sequence);
        s.get(p.last_sequence), s.get(p.triggers), s.get(p.start_utc_ns), s.get(p.end_utc_ns), s.get(p.state);
        return p;
    }
    static CatalogueRun read_run(Statement& s) {
        CatalogueRun r;
        s.get(r.run), s.get(r.profile), s.get(r.software), s.get(r.host), s.get(r.start_utc_ns), s.get(r.state);
        s.get(r.reason), s.get(r.last_ordinal), s.get(r.last_sequence);
        return r;
    }

  private:
    std::filesystem::path path_;
    sqlite3* db_ = nullptr;
};

Catalogue::Catalogue(const std::filesystem::path& folder, Open how)
    : database_{std::make_unique<Database>(file_in(folder), how)} {}
Catalogue::~Catalogue() = default;

std::filesystem::path Catalogue::file_in(const std::filesystem::path& folder) { return folder / "catalogue.sqlite"; }

void Catalogue::put(const CataloguePart& p) {
    Database::Statement s{
        *database_, fmt::format("INSERT OR REPLACE INTO parts ({}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", kPartColumns)};
    s.bind(p.file).bind(p.run).bind(std::uint64_t{p.part}).bind(p.sha256).bind(p.bytes).bind(p.first_sequence);
    s.bind(p.last_sequence).bind(p.triggers).bind(p.start_utc_ns).bind(p.end_utc_ns).bind(p.state);
    (void)s.step();
}

void Catalogue::put(const CatalogueRun& r) {
    Database::Statement s{*database_,
                          fmt::format("INSERT OR REPLACE INTO runs ({}) VALUES (?,?,?,?,?,?,?,?,?)", kRunColumns)};
    s.bind(r.run).bind(r.profile).bind(r.software).bind(r.host).bind(r.start_utc_ns).bind(r.state).bind(r.reason);
    s.bind(r.last_ordinal).bind(r.last_sequence);
    (void)s.step();
}

std::optional<CataloguePart> Catalogue::part(const std::string& file) const {
    Database::Statement s{*database_, fmt::format("SELECT {} FROM parts WHERE file = ?", kPartColumns)};
    s.bind(file);
    if (!s.step()) return std::nullopt;
    return Database::read_part(s);
}

std::vector<CataloguePart> Catalogue::parts(std::uint64_t run) const {
    Database::Statement s{*database_, fmt::format("SELECT {} FROM parts WHERE run = ? ORDER BY part", kPartColumns)};
    s.bind(run);
    std::vector<CataloguePart> rows;
    while (s.step()) rows.push_back(Database::read_part(s));
    return rows;
}

std::optional<CatalogueRun> Catalogue::run(std::uint64_t run) const {
    Database::Statement s{*database_, fmt::format("SELECT {} FROM runs WHERE run = ?", kRunColumns)};
    s.bind(run);
    if (!s.step()) return std::nullopt;
    return Database::read_run(s);
}

std::optional<CatalogueRun> Catalogue::newest_run() const {
    Database::Statement s{*database_, fmt::format("SELECT {} FROM runs ORDER BY run DESC LIMIT 1", kRunColumns)};
    if (!s.step()) return std::nullopt;
    return Database::read_run(s);
}

std::vector<CatalogueRun> Catalogue::runs() const {
    Database::Statement s{*database_, fmt::format("SELECT {} FROM runs ORDER BY run", kRunColumns)};
    std::vector<CatalogueRun> rows;
    while (s.step()) rows.push_back(Database::read_run(s));
    return rows;
}

std::string Catalogue::damage_in(const std::filesystem::path& folder) {
    const std::filesystem::path path = file_in(folder);
    if (!std::filesystem::exists(path)) return "";
    sqlite3* db = nullptr;
    std::string first;
    const auto keep_first = [](void* into, int, char** columns, char**) {
        auto& text = *static_cast<std::string*>(into);
        if (text.empty() && columns[0] != nullptr) text = columns[0];
        return 0;
    };
    int status = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr);
    if (status == SQLITE_OK) {
        sqlite3_busy_timeout(db, kBusyTimeoutMs);
        status = sqlite3_exec(db, "PRAGMA quick_check", keep_first, &first, nullptr);
    }
    const bool broken = status == SQLITE_NOTADB || status == SQLITE_CORRUPT;  // a locked one is not damaged
    const std::string why = broken ? sqlite3_errmsg(db) : status == SQLITE_OK && first != "ok" ? first : "";
    sqlite3_close(db);
    return why;
}

}  // namespace alleycat
