#include "daq/store/catalogue.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <string_view>

#include "daq/store/files.hpp"
#include "daq/store/run_quality.hpp"

namespace alleycat {
namespace {

constexpr int kBusyTimeoutMs = 5000;
/// `PRAGMA user_version`. 0 was before there were versions: no comments, no copies, and of `runs` the first nine
/// columns.
constexpr int kVersion = 1;
constexpr const char* kSchema = R"(
    CREATE TABLE IF NOT EXISTS runs (run INTEGER PRIMARY KEY, profile TEXT, software TEXT, host TEXT, start_utc_ns INTEGER,
        state TEXT, reason TEXT, last_ordinal INTEGER, last_sequence INTEGER);
    CREATE TABLE IF NOT EXISTS parts (file TEXT PRIMARY KEY, run INTEGER, part INTEGER, sha256 TEXT, bytes INTEGER,
        first_sequence INTEGER, last_sequence INTEGER, triggers INTEGER, start_utc_ns INTEGER, end_utc_ns INTEGER,
        state TEXT);
    ALTER TABLE runs ADD COLUMN end_utc_ns INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN recorded INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN lost_estimated INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN quality TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN quality_reasons TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN test_run INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE comments (run INTEGER, utc_ns INTEGER, author TEXT, kind TEXT, text TEXT,
        UNIQUE (run, utc_ns, author, kind, text));
    CREATE TABLE copies (part TEXT, destination TEXT, sha256 TEXT, utc_ns INTEGER, state TEXT,
        PRIMARY KEY (part, destination));
    CREATE TABLE hooks (part TEXT PRIMARY KEY, command TEXT, utc_ns INTEGER);
    PRAGMA user_version = 1;)";
constexpr std::string_view kRunColumns =
    "run, profile, software, host, start_utc_ns, state, reason, last_ordinal, last_sequence, end_utc_ns, recorded, "
    "refused, lost_estimated, quality, quality_reasons, test_run";
constexpr std::string_view kOldRunColumns =
    "run, profile, software, host, start_utc_ns, state, reason, last_ordinal, last_sequence, 0, 0, 0, 0, '', '', 0";
constexpr std::string_view kPartColumns =
    "file, run, part, sha256, bytes, first_sequence, last_sequence, triggers, start_utc_ns, end_utc_ns, state";
constexpr std::string_view kCommentColumns = "run, utc_ns, author, kind, text";
constexpr std::string_view kCopyColumns = "part, destination, sha256, utc_ns, state";

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
        try {
            if (how == Open::write) {
                execute("PRAGMA synchronous = FULL");
                clear_journal();
            }
            version_ = read_version();
            if (how == Open::write && version_ < kVersion) bring_up_to_date();
            if (version_ > kVersion)
                throw Error{fmt::format("{}: a newer Alleycat wrote it (version {}, this one knows {})", path_.string(),
                                        version_, kVersion)};
        } catch (...) {
            sqlite3_close(db_);
            throw;
        }
    }
    ~Database() { sqlite3_close(db_); }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    [[nodiscard]] int version() const noexcept { return version_; }
    void execute(const char* sql) const {
        if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
    }
    /// Does `action` as one change: all of it or nothing, and nobody else writes meanwhile.
    template <class Do>
    void as_one(const Do& action) const {
        execute("BEGIN IMMEDIATE");
        try {
            action();
            execute("COMMIT");
        } catch (...) {
            sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
            throw;
        }
    }
    /// Reads in `action` are of one moment.
    template <class Do>
    void as_seen_at_once(const Do& action) const {
        execute("BEGIN");
        try {
            action();
        } catch (...) {
            sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
            throw;
        }
        execute("COMMIT");
    }
    [[nodiscard]] std::vector<std::byte> serialize() const {
        sqlite3_int64 bytes = 0;
        const std::unique_ptr<unsigned char, decltype(&sqlite3_free)> image{sqlite3_serialize(db_, "main", &bytes, 0),
                                                                            sqlite3_free};
        if (!image) fail();
        const auto* first = reinterpret_cast<const std::byte*>(image.get());
        return {first, first + bytes};
    }
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
        void get(bool& value) { value = sqlite3_column_int64(statement_, read_++) != 0; }

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
        s.get(r.reason), s.get(r.last_ordinal), s.get(r.last_sequence), s.get(r.end_utc_ns), s.get(r.recorded);
        s.get(r.refused), s.get(r.lost_estimated), s.get(r.quality), s.get(r.quality_reasons), s.get(r.test_run);
        return r;
    }
    [[nodiscard]] std::string_view run_columns() const { return version_ >= 1 ? kRunColumns : kOldRunColumns; }

  private:
    /// SQLite rolls back a journal that a killed process left, and removes it; but one whose beginning was not synced
    /// yet (empty, or zeros) has nothing to roll back, and would stay until the next change. By the way that takes
    /// SQLite's own locks: that of a change that is being made stays.
    void clear_journal() const {
        if (!std::filesystem::exists(path_.string() + "-journal")) return;
        execute("PRAGMA journal_mode = TRUNCATE");
        execute("PRAGMA journal_mode = DELETE");
    }
    int read_version() {
        Statement s{*this, "PRAGMA user_version"};
        std::uint32_t version = 0;
        if (s.step()) s.get(version);
        return static_cast<int>(version);
    }
    /// Another process may do it at the same moment.
    void bring_up_to_date() {
        as_one([&] {
            version_ = read_version();
            if (version_ < kVersion) execute(kSchema);
        });
        version_ = std::max(version_, kVersion);
    }

    std::filesystem::path path_;
    sqlite3* db_ = nullptr;
    int version_ = 0;
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
    Database::Statement s{
        *database_,
        fmt::format("INSERT OR REPLACE INTO runs ({}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", kRunColumns)};
    s.bind(r.run).bind(r.profile).bind(r.software).bind(r.host).bind(r.start_utc_ns).bind(r.state).bind(r.reason);
    s.bind(r.last_ordinal).bind(r.last_sequence).bind(r.end_utc_ns).bind(r.recorded).bind(r.refused);
    s.bind(r.lost_estimated).bind(r.quality).bind(r.quality_reasons).bind(std::uint64_t{r.test_run});
    (void)s.step();
}

void Catalogue::put(const CatalogueCopy& c) {
    Database::Statement s{*database_,
                          fmt::format("INSERT OR REPLACE INTO copies ({}) VALUES (?,?,?,?,?)", kCopyColumns)};
    s.bind(c.part).bind(c.destination).bind(c.sha256).bind(c.utc_ns).bind(c.state);
    (void)s.step();
}

void Catalogue::put(const CatalogueHook& h) {
    Database::Statement s{*database_, "INSERT OR REPLACE INTO hooks (part, command, utc_ns) VALUES (?,?,?)"};
    s.bind(h.part).bind(h.command).bind(h.utc_ns);
    (void)s.step();
}

void Catalogue::put(const CatalogueComment& c) {
    Database::Statement s{*database_,
                          fmt::format("INSERT OR IGNORE INTO comments ({}) VALUES (?,?,?,?,?)", kCommentColumns)};
    s.bind(c.run).bind(c.utc_ns).bind(c.author).bind(c.kind).bind(c.text);
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

std::vector<CataloguePart> Catalogue::parts() const {
    Database::Statement s{*database_, fmt::format("SELECT {} FROM parts ORDER BY run, part", kPartColumns)};
    std::vector<CataloguePart> rows;
    while (s.step()) rows.push_back(Database::read_part(s));
    return rows;
}

std::optional<CatalogueRun> Catalogue::run(std::uint64_t run) const {
    Database::Statement s{*database_, fmt::format("SELECT {} FROM runs WHERE run = ?", database_->run_columns())};
    s.bind(run);
    if (!s.step()) return std::nullopt;
    return Database::read_run(s);
}

std::optional<CatalogueRun> Catalogue::newest_run() const {
    Database::Statement s{*database_,
                          fmt::format("SELECT {} FROM runs ORDER BY run DESC LIMIT 1", database_->run_columns())};
    if (!s.step()) return std::nullopt;
    return Database::read_run(s);
}

std::vector<CatalogueComment> Catalogue::comments(std::uint64_t run) const {
    if (database_->version() < 1) return {};
    Database::Statement s{*database_,
                          fmt::format("SELECT {} FROM comments WHERE run = ? ORDER BY utc_ns, rowid", kCommentColumns)};
    s.bind(run);
    std::vector<CatalogueComment> rows;
    while (s.step()) {
        CatalogueComment& c = rows.emplace_back();
        s.get(c.run), s.get(c.utc_ns), s.get(c.author), s.get(c.kind), s.get(c.text);
    }
    return rows;
}

std::vector<OperatorNote> Catalogue::notes(std::uint64_t run) const {
    std::vector<OperatorNote> notes;
    for (CatalogueComment& c : comments(run)) {
        const auto kind = std::ranges::find(kNoteKindNames, c.kind);
        if (kind == kNoteKindNames.end()) continue;  // of somebody who wrote it by hand
        notes.push_back(
            {c.utc_ns, static_cast<NoteKind>(kind - kNoteKindNames.begin()), std::move(c.author), std::move(c.text)});
    }
    return notes;
}

void Catalogue::judge_anew(std::uint64_t number) {
    database_->as_one([&] {
        std::optional<CatalogueRun> row = run(number);
        if (!row) return;
        RunQuality judged = alleycat::judge_anew({row->quality, row->quality_reasons}, notes(number));
        row->quality = std::move(judged.flags);
        row->quality_reasons = std::move(judged.reasons);
        put(*row);
    });
}

std::vector<CatalogueCopy> Catalogue::copies(const std::string& part) const {
    if (database_->version() < 1) return {};
    Database::Statement s{*database_, fmt::format("SELECT {} FROM copies WHERE part = ?", kCopyColumns)};
    s.bind(part);
    std::vector<CatalogueCopy> rows;
    while (s.step()) {
        CatalogueCopy& c = rows.emplace_back();
        s.get(c.part), s.get(c.destination), s.get(c.sha256), s.get(c.utc_ns), s.get(c.state);
    }
    return rows;
}

std::optional<CatalogueHook> Catalogue::hook(const std::string& part) const {
    if (database_->version() < 1) return std::nullopt;
    Database::Statement s{*database_, "SELECT part, command, utc_ns FROM hooks WHERE part = ?"};
    s.bind(part);
    if (!s.step()) return std::nullopt;
    CatalogueHook h;
    s.get(h.part), s.get(h.command), s.get(h.utc_ns);
    return h;
}

std::vector<CatalogueRun> Catalogue::runs() const {
    Database::Statement s{*database_, fmt::format("SELECT {} FROM runs ORDER BY run", database_->run_columns())};
    std::vector<CatalogueRun> rows;
    while (s.step()) rows.push_back(Database::read_run(s));
    return rows;
}

std::vector<std::byte> Catalogue::snapshot() const {
    std::vector<std::byte> bytes;
    database_->as_seen_at_once([&] { bytes = database_->serialize(); });
    return bytes;
}

std::string Catalogue::missing_of(const Catalogue& older) const {
    for (const CataloguePart& old : older.parts()) {
        const std::optional<CataloguePart> known = part(old.file);
        const bool same = known && (known->sha256 == old.sha256 || known->sha256.empty() || old.sha256.empty());
        if (!same) return old.file;
    }
    for (const CatalogueRun& run : older.runs()) {
        const std::vector<CatalogueComment> known = comments(run.run);
        for (const CatalogueComment& old : older.comments(run.run)) {
            if (std::ranges::find(known, old) == known.end())
                return fmt::format("what {} said of run {}", old.author, old.run);
        }
    }
    return "";
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
