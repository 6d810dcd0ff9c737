//! How DataFusion reads segments: through our files and checksums, with decoded footers kept.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::TableReference;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{ParquetFileMetrics, ParquetFileReaderFactory};
use datafusion::execution::cache::default_cache::DefaultCache;
use datafusion::execution::cache::{Cache, CacheKey, CacheValue};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet};
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use super::Segment;
use crate::file_system::File;
use crate::id::SegmentId;

/// Bytes at a file's end that usually hold the footer and the page index.
const FOOTER_READ_BYTES: usize = 64 * 1024;

/// Decoded footers of the segments that were read last, with their page indexes.
pub(crate) struct FooterCache(DefaultCache<SegmentId, Footer>);

#[derive(Clone)]
struct Footer(Arc<ParquetMetaData>);

impl CacheKey for SegmentId {
    fn size(&self) -> usize {
        size_of::<Self>()
    }

    fn table_ref(&self) -> Option<&TableReference> {
        None
    }
}

impl CacheValue for Footer {
    fn size(&self) -> usize {
        self.0.memory_size()
    }
}

impl FooterCache {
    /// A cache of at most so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(DefaultCache::new(bytes_max))
    }

    /// Forgets a segment.
    pub(crate) fn remove(&self, segment: SegmentId) {
        self.0.remove(&segment);
    }
}

impl fmt::Debug for FooterCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FooterCache({} footers)", self.0.len())
    }
}

/// Makes readers; each file of a scan carries its segment as an extension.
#[derive(Debug)]
pub(super) struct ReaderFactory {
    pub(super) footers: Arc<FooterCache>,
    /// Counts segments that were opened: no manifest statistics ruled them out.
    pub(super) opened: Count,
}

impl ParquetFileReaderFactory for ReaderFactory {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::error::Result<Box<dyn AsyncFileReader + Send>> {
        let Some(segment) = file.extension::<Arc<Segment>>() else {
            return datafusion::common::internal_err!("a file of a scan is no segment");
        };
        let name = file.object_meta.location.as_ref();
        Ok(Box::new(Reader {
            segment: Arc::clone(segment),
            footers: Arc::clone(&self.footers),
            opened: self.opened.clone(),
            metrics: ParquetFileMetrics::new(partition, name, metrics),
            file: None,
        }))
    }
}

struct Reader {
    segment: Arc<Segment>,
    footers: Arc<FooterCache>,
    opened: Count,
    metrics: ParquetFileMetrics,
    /// Opened at the first read: most readers of cached footers read nothing.
    file: Option<Arc<dyn File>>,
}

impl Reader {
    /// Reads on a thread that may block.
    async fn read(&mut self, ranges: Vec<Range<u64>>) -> ParquetResult<Vec<Bytes>> {
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        self.metrics.bytes_scanned.add(bytes as usize);
        let segment = Arc::clone(&self.segment);
        let opened = self.file.clone();
        let read = move || segment.read(opened, &ranges);
        let done = tokio::task::spawn_blocking(read).await;
        let done = done.map_err(|error| ParquetError::External(Box::new(error)))?;
        let (file, bytes) = done.map_err(|error| ParquetError::External(Box::new(error)))?;
        self.file = Some(file);
        Ok(bytes)
    }
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move {
            let mut bytes = self.read(vec![range]).await?;
            Ok(bytes.pop().expect("one range was asked for"))
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.read(ranges).boxed()
    }

    /// The page index comes with the footer whatever the options say: it is small, and reading it
    /// later would be another trip for each query.
    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            self.opened.add(1);
            let id = self.segment.entry().id;
            if let Some(Footer(footer)) = self.footers.0.get(&id) {
                return Ok(footer);
            }
            let size = self.segment.entry().bytes;
            let reader = ParquetMetaDataReader::new()
                .with_page_index_policy(PageIndexPolicy::Optional)
                .with_prefetch_hint(Some(FOOTER_READ_BYTES));
            let footer = Arc::new(reader.load_and_finish(&mut *self, size).await?);
            self.footers.0.put(&id, Footer(Arc::clone(&footer)));
            Ok(footer)
        }
        .boxed()
    }
}
