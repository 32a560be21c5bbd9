import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import cases from './cases.json' with { type: 'json' }

const root = join(import.meta.dirname, '..', '..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

// Comments name cases too, and show nothing.
const tests = globSync(['test/seeds/*.test.ts', 'src/continuations/*.test.ts'], { cwd: root }).map((file) => read(file).replaceAll(/^\s*\/\/.*$/gm, '')).join('\n')
const page = read('docs/from-perl.md')
const [, different = '', notCovered = ''] = /## Where we differ on purpose\n(.*)## Not covered\n(.*)/s.exec(page) ?? []
const named = (text: string, id: string): boolean => new RegExp(`\\b${id}\\b`).test(text)

it('every case is the title of a test, or is said not to be covered', () => {
  const ids = cases.map(({ id }) => id)
  expect(ids).toHaveLength(186)
  expect(ids.filter((id) => named(tests, id) === named(notCovered, id))).toEqual([])
})

it('the nine requests are lived on every store, over every transport', () => {
  const named = (folder: string): string[] => globSync(`src/${folder}/*.ts`, { cwd: root }).filter((file) => !file.endsWith('.test.ts')).map((file) => file.slice(0, -3))
  const lives = read('test/seeds/life.test.ts') + read('test/seeds/life-on-servers.test.ts')
  expect(named('stores').filter((file) => !lives.includes(`../../${file}.ts'`) && file !== 'src/stores/memory')).toEqual([])
  expect(lives).toContain('memoryStore()')
  expect(named('transports').filter((file) => !read('test/seeds/nine-requests.ts').includes(`../../${file}.ts'`) && file !== 'src/transports/cookie')).toEqual([])
  expect(read('test/seeds/nine-requests.ts')).toContain('cookieTransport(')
})

// Every member that the four systems document, as seeds.md names them.
const MEMBERS = {
  'Jifty::Web::Session': `new id create load load_by_kv unload loaded get set remove remove_all continuations set_cookie cookie_name expires get_ set_ remove_continuation SessionClass SessionBackend
    SessionOptions SessionCookieName SessionSecret JIFTY_SID_$PORT key metadata continuation session setup_session cleanup_request current_user JDBI SessionCollection expired_update expired_create ApacheSession ClientSide None
    new_session_id request response parent code version J:CREATE J:PATH J:C J:CALL J:RETURN J:M-dest J:V-name J:A- J:A:F- J:ACTIONS J:VALIDATE tangent return caller redirect delete /errors/500`,
  'PET::Session': `$DISP $CLEANUP_THRESHOLD $SESSION_FILE_EXPIRES new init start access createName freeze thaw store load invalidate finish get set sessionChanged getSesid onStart cleanupOld $BASEPATH $SESSION getSession setSession
    getCookie setCookie cookieOnce deleteCookie RamdiskHash ramdiskpath`,
  'Dancer::Session::Abstract': `session retrieve create flush destroy session_name get_value set_value is_lazy reset validate_session_id init build_id read_session_id write_session_id session_expires session_secure session_domain
    session_is_http_only session_same_site session_dir session_cookie_path get_current_session no_update before after before_template_render before_error_init on_route_exception on_handler_exception on_reset_state forward Simple YAML Cookie Memcached
    Storable MongoDB KiokuDB PSGI DBI Redis CHI ElasticSearch`,
  'Plack::Middleware::Session': `state store psgix.session plack.session psgix.session.options id change_id expire no_store late_store path domain expires get set remove keys session dump session_key sid_generator sid_validator get_session_id
    validate_session_id extract generate finalize expire_session_id State::Cookie fetch dir serializer deserializer dbh get_dbh table_name id_column data_column additional_column_data File Cache DBI Null Session::Cookie secret`,
  'Their siblings: Dancer2 and Catalyst::Plugin::Session': `read write delete is_dirty destroy_session change_session_id validate_id sessions() session_duration cookie_path cookie_domain cookie_duration cookie_same_site expires expiry_threshold session_expire_key
    delete_session session_delete_reason change_session_expires verify_address verify_user_agent __created __updated flash keep_flash cookie_secure`,
}

it.each(Object.entries(MEMBERS))('docs/from-perl.md says of each member of %s what it is here', (heading, members) => {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
  const theirs = section.split('\n').filter((line) => line.startsWith('| ')).map((line) => line.split(' | ')[0] ?? '').join('\n')
  const isThere = (member: string): boolean => new RegExp(`(?<![\\w$])${member.replaceAll(/[$.()/]/g, '\\$&')}(?![a-z])`).test(theirs)
  expect(members.split(/\s+/).filter((member) => !isThere(member))).toEqual([])
})

it('every case in which we may differ has its reason in docs/from-perl.md, and no other is excused', () => {
  const rows = different.match(/^\| [A-Z]+-\d+ /gm)?.map((row) => row.slice(2, -1))
  expect(rows).toEqual(cases.filter(({ mode }) => mode.startsWith('V')).map(({ id }) => id))
})
