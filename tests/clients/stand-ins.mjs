// As much of kurento-client for Java as generated sources name: its annotations and interfaces by their published
// signatures, and of each standard class and type what the sources extend, call by `super` or refer to.

const CLIENT = 'org/kurento/client';

const interfaces = {
  KurentoObject: `boolean isCommited(); void waitCommited() throws InterruptedException; void whenCommited(Continuation<?> cont);
    void release(); void release(Continuation<Void> cont); void release(Transaction tx); String getId();`,
  Event: '',
  ListenerSubscription: 'String getSubscriptionId();',
  Transaction: 'void commit();',
};

const generics = {
  Continuation: 'void onSuccess(T result) throws Exception; void onError(Throwable cause) throws Exception;',
  EventListener: 'void onEvent(T event);',
  TFuture: 'T get();',
};

const classes = { MediaObject: 'KurentoObject', MediaElement: 'MediaObject', Filter: 'MediaElement', Endpoint: 'MediaElement', Hub: 'MediaObject', HubPort: 'MediaElement', MediaPipeline: 'MediaObject', OpenCVFilter: 'Filter' };

const RAISED = 'MediaObject source, String timestampMillis, java.util.List<Tag> tags';

const annotation = (name, member = '', target) => `@java.lang.annotation.Retention(java.lang.annotation.RetentionPolicy.RUNTIME)
  @java.lang.annotation.Target(java.lang.annotation.ElementType.${target}) public @interface ${name} { ${member} }`;

/** Sources by path. */
export function standIns() {
  const files = {};
  const add = (name, text, folder = CLIENT) => (files[`${folder}/${name}.java`] = `package ${folder.replaceAll('/', '.')};\n${text}\n`);
  for (const [name, body] of Object.entries(interfaces)) add(name, `public interface ${name} { ${body} }`);
  for (const [name, body] of Object.entries(generics)) add(name, `public interface ${name}<T> { ${body} }`);
  for (const [name, parent] of Object.entries(classes)) {
    add(name, `@org.kurento.client.internal.RemoteClass public interface ${name} extends ${parent} {${name === 'MediaElement' ? ' void connect(MediaElement sink); String getName();' : ''} }`);
  }
  add('Tag', 'public class Tag { protected Tag() {} public Tag(String key, String value) {} }');
  add('Stats', 'public class Stats { protected Stats() {} public Stats(String id, StatsType type, long timestampMillis) {} }');
  for (const name of ['StatsType', 'MediaType']) add(name, `public enum ${name} { VIDEO }`);
  add('RaiseBaseEvent', `public class RaiseBaseEvent implements Event { public RaiseBaseEvent(${RAISED}) {} }`);
  add('MediaEvent', `public class MediaEvent extends RaiseBaseEvent { public MediaEvent(${RAISED}, String type) { super(source, timestampMillis, tags); } }`);
  add('Properties', 'public class Properties { }');
  add('AbstractBuilder', `public class AbstractBuilder<T> {
    protected final org.kurento.jsonrpc.Props props = new org.kurento.jsonrpc.Props();
    public AbstractBuilder(Class<?> clazz, KurentoObject parent) {}
    public T build() { return null; }
    public T build(Transaction tx) { return null; }
    public void buildAsync(Continuation<T> cont) {}
    public AbstractBuilder<T> withProperties(Properties properties) { return this; }
    public AbstractBuilder<T> with(String name, Object value) { return this; }
  }`);
  add('Props', 'public class Props { public Props add(String name, Object value) { return this; } }', 'org/kurento/jsonrpc');
  add('RemoteClass', annotation('RemoteClass', '', 'TYPE'), `${CLIENT}/internal`);
  add('ModuleName', annotation('ModuleName', 'String value();', 'TYPE'), `${CLIENT}/internal`);
  add('Param', annotation('Param', 'String value();', 'PARAMETER'), `${CLIENT}/internal/server`);
  add('EventSubscription', annotation('EventSubscription', 'Class<? extends org.kurento.client.Event> value();', 'METHOD'), `${CLIENT}/internal/server`);
  return files;
}
